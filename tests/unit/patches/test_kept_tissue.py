"""Tissue masks in the project folder: when they are used, and when not."""

from dataclasses import replace

import numpy as np
import pytest

from napari_medpatch.errors import DamagedFileError, GeometryError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.project_folder import introduce, project_folder
from napari_medpatch.patches.kept_tissue import (
    FoundTissue,
    forget_tissue,
    keep_edited_tissue,
    kept_tissue,
    tissue_or_kept,
)
from napari_medpatch.patches.tissue import TissueMask
from napari_medpatch.patches.tissue_file import read_tissue, write_tissue
from napari_medpatch.patches.tissue_methods import TISSUE_METHODS, steps_of


@pytest.fixture
def source(tmp_path, stained_slide):
    path = tmp_path / "slide.tiff"
    path.write_bytes(b"first scan")
    return ArraySource(stained_slide, "slide", (0.5, 0.5), path=path)


@pytest.fixture
def project(source):
    folder, facts = project_folder(source)
    introduce(folder, facts)
    return folder


def find(source, method="stain", **options) -> FoundTissue:
    *_, found = tissue_or_kept(source, method, **options)
    return found


def test_without_a_project_nothing_is_left_beside_the_slide(source, tmp_path) -> None:
    assert not find(source).kept
    assert [path.name for path in tmp_path.iterdir()] == ["slide.tiff"]


@pytest.mark.parametrize("method", sorted(TISSUE_METHODS))
def test_with_a_project_the_second_look_reads_no_pixels(source, project, method, monkeypatch) -> None:
    first = find(source, method)
    monkeypatch.setattr(ArraySource, "read", lambda *_: pytest.fail("pixels were read"))
    again = find(source, method)
    assert (first.kept, again.kept, again.edited, again.note) == (False, True, False, "")
    assert np.array_equal(again.tissue.mask, first.tissue.mask)
    assert again.tissue.downsample == first.tissue.downsample
    assert again.tissue.outlined == first.tissue.outlined == (method == "wsinfer")


def test_another_version_of_the_method_looks_again(source, project, monkeypatch) -> None:
    find(source)
    newer = replace(TISSUE_METHODS["stain"], version=99)
    monkeypatch.setitem(TISSUE_METHODS, "stain", newer)
    assert not find(source).kept
    assert find(source).kept


def test_a_changed_slide_is_looked_at_again(source, project) -> None:
    find(source)
    source.path.write_bytes(b"another scan of the same size")
    assert not find(source).kept


def test_another_pixel_size_gives_another_mask(source, project, stained_slide) -> None:
    find(source)
    told = ArraySource(stained_slide, "slide", (1.0, 1.0), path=source.path)
    assert not find(told).kept
    assert find(told).kept


def test_a_correction_wins_over_all_methods(source) -> None:
    mask = TissueMask(np.eye(20, 30, dtype=bool), (30.0, 80 / 3), outlined=True)
    keep_edited_tissue(source, mask, "wsinfer")
    for method in TISSUE_METHODS:
        found = find(source, method)
        assert found.edited
        assert np.array_equal(found.tissue.mask, mask.mask)
        assert not found.tissue.outlined  # what was painted are pixels
        assert "as you corrected it" in found.note


def test_a_correction_outlives_a_change_of_the_slide_with_a_note(source) -> None:
    keep_edited_tissue(source, TissueMask(np.ones((6, 8), bool), (100.0, 100.0)))
    source.path.write_bytes(b"exported once more")
    found = find(source)
    assert found.edited
    assert "slide.tiff has changed" in found.note


def test_a_correction_of_an_image_of_another_size_is_not_used(source, stained_slide) -> None:
    keep_edited_tissue(source, TissueMask(np.ones((6, 8), bool), (100.0, 100.0)))
    source.path.write_bytes(b"cropped")
    cropped = ArraySource(stained_slide[:400], "slide", (0.5, 0.5), path=source.path)
    assert not find(cropped).edited


def test_finding_anew_forgets(source, project) -> None:
    found = find(source)
    keep_edited_tissue(source, TissueMask(np.ones((6, 8), bool), (100.0, 100.0)))
    anew = find(source, fresh=True)
    assert not anew.edited
    assert np.array_equal(anew.tissue.mask, found.tissue.mask)
    forget_tissue(source)
    assert kept_tissue(source) is None


def test_a_damaged_found_mask_is_found_anew_and_a_damaged_correction_is_said(source, project) -> None:
    find(source)
    (project / "tissue" / "stain.npz").write_bytes(b"PK")
    assert not find(source).kept
    path = keep_edited_tissue(source, TissueMask(np.ones((6, 8), bool), (100.0, 100.0)))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DamagedFileError, match=r"edited\.npz cannot be read"):
        find(source)


def test_a_full_disk_does_not_stop_the_search(source, project, monkeypatch, caplog) -> None:
    from napari_medpatch.errors import OutputError

    def full(*_args):
        raise OutputError("The disk is full.")

    monkeypatch.setattr("napari_medpatch.patches.kept_tissue.write_tissue", full)
    assert find(source).tissue.mask.any()
    assert "disk is full" in caplog.text


def test_files_keep_what_they_say(source, tmp_path) -> None:
    path = keep_edited_tissue(source, TissueMask(np.eye(4, dtype=bool), (4.00009, 2.5)), "wsinfer")
    record = read_tissue(path)
    assert record.tissue.downsample == (4.00009, 2.5)
    assert (record.method, record.edited, record.image["shape"]) == ("wsinfer", True, [600, 800])
    write_tissue(tmp_path / "b.npz", record)
    assert np.array_equal(read_tissue(tmp_path / "b.npz").tissue.mask, np.eye(4, dtype=bool))


def test_a_photograph_has_one_field_of_view_whatever_the_method() -> None:
    photo = ArraySource(np.zeros((90, 120, 3), np.uint8), "photo")
    for method in TISSUE_METHODS:
        *_, mask = steps_of(photo, method)
        assert mask.mask.all()


def test_blank_is_nearly_white_or_black() -> None:
    rgb = np.full((300, 300, 3), 200, np.uint8)
    rgb[:100], rgb[100:200, :100], rgb[100:200, 100:200] = 250, 0, (255, 239, 255)
    *_, mask = steps_of(ArraySource(rgb, "slide", (8.0, 8.0)), "not-blank")
    assert mask.mask[::50, ::50].tolist() == [[False] * 6] * 2 + [[False] * 4 + [True] * 2] * 2 + [[True] * 6] * 2


def test_unknown_methods_are_refused(source) -> None:
    with pytest.raises(GeometryError, match=r"'magic'.*stain"):
        list(steps_of(source, "magic"))
