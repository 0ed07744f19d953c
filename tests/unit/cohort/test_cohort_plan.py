"""What many paths mean."""

from pathlib import Path

import pytest
from PIL import Image

from napari_medpatch.cohort.plan import expand, is_folder_of_patches, naming, plan
from napari_medpatch.errors import OutputError, UnsupportedFormatError
from napari_medpatch.infer.classify_result import DEFAULTS, ClassifySettings


@pytest.fixture
def slides(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("b.svs", "a.svs", "c.tiff")]
    for path in paths:
        path.write_bytes(b"II*\0")
    return paths


def test_patterns_are_expanded_in_order_and_doubles_dropped(slides, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = expand([slides[2], "*.svs", "./a.svs", str(tmp_path / "*.tiff")])
    assert found == [str(slides[2]), "a.svs", "b.svs"]


def test_a_name_with_brackets_is_no_pattern(tmp_path) -> None:
    path = tmp_path / "slide[1].svs"
    path.write_bytes(b"")
    assert expand([path]) == [str(path)]


def test_a_pattern_without_a_match_is_refused(tmp_path) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"\*\.ndpi"):
        expand([tmp_path / "*.ndpi"])


def test_missing_files_are_left_to_the_slide(tmp_path) -> None:
    assert expand([tmp_path / "absent.svs"]) == [str(tmp_path / "absent.svs")]


def test_tasks_hold_absolute_paths(slides, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ClassifySettings(tta=3)
    (task,) = plan(["a.svs"], "out", settings, mpp=(0.5, 0.25))
    assert (task.path, task.file, task.out) == ("a.svs", str(slides[1]), str(tmp_path / "out"))
    assert (task.settings, task.mpp, task.refusal) == (settings, (0.5, 0.25), "")


@pytest.mark.parametrize(("second", "clash"), [("x.tiff", True), ("X.svs", True), ("x2.svs", False)])
def test_names_that_would_overwrite_one_another(tmp_path, second, clash) -> None:
    first = tmp_path / "a" / "x.svs"
    tasks = plan([first, tmp_path / "b" / second], tmp_path / "out", DEFAULTS)
    assert tasks[0].refusal == ""
    assert (str(first) in tasks[1].refusal) == clash


def test_two_folders_of_patches_clash(tmp_path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "p.png")
    assert is_folder_of_patches(tmp_path / "one")
    assert not is_folder_of_patches(tmp_path / "one" / "p.png")
    tasks = plan([tmp_path / "one", tmp_path / "two"], tmp_path / "out", DEFAULTS)
    assert [bool(task.refusal) for task in tasks] == [False, True]


def test_one_region_for_several_slides_is_refused(slides, tmp_path) -> None:
    region = tmp_path / "region.geojson"
    region.write_text("{}")
    (task,) = plan(slides[:1], tmp_path / "out", DEFAULTS, roi=region)
    assert task.roi == str(region)
    with pytest.raises(UnsupportedFormatError, match="one region for 3 slides"):
        plan(slides, tmp_path / "out", DEFAULTS, roi=region)


def test_masks_are_found_by_name(slides, tmp_path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "a.png").write_bytes(b"")
    (masks / "c.tif").write_bytes(b"")
    b, a, c = plan(slides, tmp_path / "out", DEFAULTS, tissue=masks)
    assert (a.tissue, c.tissue) == (str(masks / "a.png"), str(masks / "c.tif"))
    assert "no tissue mask of b.svs" in b.refusal


def test_a_missing_region_is_told(slides, tmp_path) -> None:
    (task,) = plan(slides[:1], tmp_path / "out", DEFAULTS, roi=tmp_path / "absent.geojson")
    assert "does not exist" in task.refusal


def test_a_file_where_the_folder_should_be(slides, tmp_path) -> None:
    with pytest.raises(OutputError, match="is a file"):
        plan(slides, slides[0], DEFAULTS)


def test_sentences_name_their_slide_once() -> None:
    assert naming("slides/a.svs", "It is coarse.") == "a.svs: It is coarse."
    assert naming("slides/a.svs", "a.svs is coarse.") == "a.svs is coarse."
