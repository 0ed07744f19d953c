"""DICOM series as volumes: the right values at the right places, or one sentence."""

import json
import random
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_cases import (
    AXIAL,
    ORIGIN,
    SHAPE,
    SPACING,
    STEP,
    lps,
    shown,
    stored_values,
    write_enhanced,
    write_series,
    write_slice,
)

from napari_medpatch.errors import ChoiceNeededError, DamagedFileError, GeometryError, UnsupportedFormatError
from napari_medpatch.events import Finished, Started, Working
from napari_medpatch.io.detect import detect, open_source, open_steps
from napari_medpatch.io.dicom_series import DicomSeriesSource
from napari_medpatch.io.export import write_mask
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.source import Source


def notes_of(source: Source) -> str:
    return " ".join(source.metadata["notes"])


def test_a_series_is_a_volume(tmp_path: Path) -> None:
    source = open_source(write_series(tmp_path / "ct"))
    assert isinstance(source, DicomSeriesSource)
    assert isinstance(source, Source)
    assert (source.kind, source.format, source.path.name) == ("volume", "DICOM series", "ct")
    assert source.dtype == np.int16
    assert source.spacing is not None
    assert source.spacing.values == pytest.approx((STEP, *SPACING))
    assert source.metadata["notes"] == []
    assert source.metadata["value_unit"] == "HU"
    assert (source.metadata["series_uid"], source.metadata["modality"]) == ("1.2.3", "CT")
    json.dumps(dict(source.metadata), allow_nan=False)


def test_slices_are_sorted_by_position_not_by_name_or_number(tmp_path: Path) -> None:
    source = open_source(write_series(tmp_path))
    assert np.array_equal(source.data, shown(stored_values()))
    np.testing.assert_allclose(lps(source.affine)[:3, 3], ORIGIN)
    heights = [pydicom.dcmread(path).ImagePositionPatient[2] for path in source.slice_files]
    assert heights == sorted(heights)


def test_any_file_opens_the_series_and_keeps_the_folders_name(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct")
    for path in sorted(folder.iterdir())[:3]:
        source = open_source(path)
        assert source.path == folder
        assert source.data.shape == SHAPE


def test_a_single_slice_opens_with_its_thickness(tmp_path: Path) -> None:
    source = open_source(write_slice(tmp_path / "IM0001", stored_values()[0]))
    assert source.data.shape == (1, *SHAPE[1:])
    assert source.spacing.values == pytest.approx((STEP, *SPACING))
    assert source.path.name == "IM0001"


def test_a_slice_without_thickness_says_what_is_assumed(tmp_path: Path) -> None:
    source = open_source(write_slice(tmp_path / "a.dcm", stored_values()[0], SliceThickness=None))
    assert "thickness is not stated; 1 mm is assumed" in notes_of(source)


@pytest.mark.parametrize("missing", [[2], [1, 2], [1, 3]])
def test_missing_slices_are_interpolated_and_named(tmp_path: Path, missing: list[int]) -> None:
    values = stored_values((20, 5, 4))
    there = [n for n in range(20) if n not in missing]
    source = open_source(write_series(tmp_path, values[there], places=[n * STEP for n in there]))
    assert source.data.shape == (20, 5, 4)
    assert np.array_equal(source.data[there], shown(values[there]))
    assert abs(source.data[missing] - shown(values[missing])).max() <= 1  # the phantom is linear along z
    assert f"{len(missing)} slice" in notes_of(source)
    assert ", ".join(map(str, missing)) in notes_of(source)
    assert [k for k, path in enumerate(source.slice_files) if path is None] == missing
    assert source.metadata["missing_slices"] == missing


def test_a_long_gap_makes_two_volumes_to_choose_from(tmp_path: Path) -> None:
    places = [*np.arange(8) * STEP, *(200 + np.arange(6) * STEP)]
    values = stored_values((14, 5, 4))
    write_series(tmp_path, values, places=places)
    with pytest.raises(ChoiceNeededError, match="holds 2 volumes; say which one, from 0 to 1") as caught:
        open_source(tmp_path)
    assert caught.value.choices == (
        "series 3: CHEST 2.5mm, 8 slices, CT, part 1 of 2",
        "series 3: CHEST 2.5mm, 6 slices, CT, part 2 of 2",
    )
    second = open_source(tmp_path, volume_index=1)
    assert np.array_equal(second.data, shown(values[8:]))
    assert lps(second.affine)[2, 3] == pytest.approx(ORIGIN[2] + 200)


def test_mixed_spacing_makes_volumes_of_one_spacing_each(tmp_path: Path) -> None:
    write_series(tmp_path, stored_values((14, 5, 4)), places=[*range(10), 14, 19, 24, 29])
    assert [open_source(tmp_path, volume_index=n).spacing.values[0] for n in (0, 1)] == [1.0, 5.0]
    with pytest.raises(ChoiceNeededError):
        open_source(tmp_path)


def test_irregular_positions_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, stored_values((12, 5, 4)), places=[0, 1, 3.4, 3.9, 7, 7.7, 12, 13.1, 20, 20.4, 29, 31.7])
    with pytest.raises(GeometryError, match=r"uneven distances \(0.4 mm to 8.6 mm\).*\.$"):
        open_source(tmp_path)


def test_rounded_positions_are_even(tmp_path: Path) -> None:
    places = [round(n * 0.625, 1) for n in range(30)]
    source = open_source(write_series(tmp_path, stored_values((30, 5, 4)), places=places))
    assert source.spacing.values[0] == pytest.approx(0.625, abs=0.003)
    assert "off an even distance" in notes_of(source)


def test_slices_shifted_sideways_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, each=lambda n: {"ImagePositionPatient": [5.0 * (n == 3), 0, n * STEP]})
    with pytest.raises(GeometryError, match="shifted sideways by up to 5 mm"):
        open_source(tmp_path)


def test_gantry_tilt_is_in_the_affine_and_noted(tmp_path: Path) -> None:
    turned = (1.0, 0.0, 0.0, 0.0, np.cos(0.3), np.sin(0.3))
    across = np.cross(turned[:3], turned[3:])
    table = np.array([0, 0, 3.0])
    drift = table - across * STEP
    write_series(tmp_path, orientation=turned, drift=drift, places=[n * STEP for n in range(6)])
    source = open_source(tmp_path)
    np.testing.assert_allclose(lps(source.affine)[:3, 2], table, atol=1e-9)
    assert "tilted by 17.2°" in notes_of(source)
    assert source.metadata["gantry_tilt_degrees"] == pytest.approx(np.degrees(0.3), abs=1e-3)
    voxel = abs(np.linalg.det(source.affine[:3, :3]))
    assert np.prod(source.spacing.values) == pytest.approx(voxel)
    assert np.array_equal(source.to_original(source.data), shown(stored_values()).transpose(2, 1, 0))


def test_copies_of_files_are_read_once(tmp_path: Path) -> None:
    write_series(tmp_path)
    shutil.copy(tmp_path / "007.dcm", tmp_path / "copy.dcm")
    source = open_source(tmp_path)
    assert source.data.shape == SHAPE
    assert "1 slice that is there twice was read once." in notes_of(source)


def test_equal_slices_at_one_place_are_read_once(tmp_path: Path) -> None:
    values = stored_values()[[0, 1, 2, 2, 3, 4, 5]]
    source = open_source(write_series(tmp_path, values, places=[0, 2.5, 5, 5, 7.5, 10, 12.5]))
    assert np.array_equal(source.data, shown(stored_values()))
    assert "there twice was read once" in notes_of(source)


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("phase", [{"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}]),
        ("echo", [{"EchoTime": 4.5}, {"EchoTime": 10.0}]),
        ("acquisition", [{"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}]),
        ("image type", [{"ImageType": ["DERIVED", "PRIMARY", "W"]}, {"ImageType": ["DERIVED", "PRIMARY", "F"]}]),
        ("repetition", [{}, {}]),
    ],
)
def test_several_images_of_one_place_are_volumes_to_choose_from(tmp_path: Path, name: str, tags: list[dict]) -> None:
    values = np.concatenate([stored_values(), stored_values() + 7])
    write_series(
        tmp_path, values, places=[n % 6 * STEP for n in range(12)], each=lambda n: tags[n // 6] | {"InstanceNumber": n}
    )
    with pytest.raises(ChoiceNeededError) as caught:
        open_source(tmp_path)
    assert len(caught.value.choices) == 2
    assert all(name in choice for choice in caught.value.choices)
    found = [open_source(tmp_path, volume_index=n).data for n in (0, 1)]
    # By number, by time or by letter.
    assert [int(a[0, 0, 0]) for a in found] == ([-1017, -1024] if name == "image type" else [-1024, -1017])


def test_several_series_are_listed_and_chosen_by_index(tmp_path: Path) -> None:
    write_series(tmp_path / "all")
    for path in write_series(tmp_path / "b", SeriesInstanceUID="1.2.4", SeriesNumber=2, SeriesDescription="").iterdir():
        shutil.copy(path, tmp_path / "all" / f"b{path.name}")
    with pytest.raises(ChoiceNeededError, match="holds 2 series; say which one, from 0 to 1") as caught:
        open_source(tmp_path / "all")
    assert caught.value.choices == ("series 2: no description, 6 slices, CT", "series 3: CHEST 2.5mm, 6 slices, CT")
    assert open_source(tmp_path / "all", volume_index=1).metadata["series_uid"] == "1.2.3"
    assert open_source(tmp_path / "all" / "b007.dcm").metadata["series_uid"] == "1.2.4"
    with pytest.raises(ChoiceNeededError, match="has no volume 2; give an index from 0 to 1"):
        open_source(tmp_path / "all", volume_index=2)


def test_the_open_series_can_be_opened_again_by_its_path_and_index(tmp_path: Path) -> None:
    write_series(tmp_path)
    write_series(tmp_path / "more", SeriesInstanceUID="1.2.4", SeriesNumber=1)
    for path in (tmp_path / "more").iterdir():
        path.rename(tmp_path / f"x{path.name}")
    first = open_source(tmp_path / "x007.dcm")
    again = open_source(first.path, volume_index=first.metadata["volume_index"])
    assert again.metadata["series_uid"] == first.metadata["series_uid"] == "1.2.4"
    assert first.metadata["volumes"] == len(first.metadata["volume_names"]) == 2


def test_folders_of_folders_and_names_without_suffix(tmp_path: Path) -> None:
    series = write_series(tmp_path / "DICOM" / "ST000001" / "SE000001")
    for n, path in enumerate(sorted(series.iterdir())):
        path.rename(series / f"IM{n:06}")
    write_slice(tmp_path / "DICOMDIR", stored_values()[0], SOPClassUID="1.2.840.10008.1.3.10")
    (tmp_path / "README.TXT").write_text("about")
    source = open_source(tmp_path)
    assert source.data.shape == SHAPE
    assert source.path == tmp_path


@pytest.mark.parametrize("modality", ["SEG", "RTSTRUCT", "SR", "PR", "RTDOSE"])
def test_other_objects_beside_a_series_are_left_out(tmp_path: Path, modality: str) -> None:
    write_series(tmp_path)
    write_slice(
        tmp_path / "000.dcm".replace("000", "zzz"), stored_values()[0], Modality=modality, SOPClassUID="1.2.3.4"
    )
    assert open_source(tmp_path).data.shape == SHAPE


def test_scouts_and_screenshots_are_left_out_of_the_question(tmp_path: Path) -> None:
    write_series(tmp_path)
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesInstanceUID": "1.2.8", "SeriesNumber": 1}
    write_slice(tmp_path / "scout.dcm", stored_values((9, 9)), **scout)
    write_slice(
        tmp_path / "dose.dcm",
        np.zeros((4, 4, 3), np.uint8),
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        Rows=4,
        Columns=4,
        SeriesInstanceUID="1.2.7",
    )
    assert open_source(tmp_path).data.shape == SHAPE
    assert open_source(tmp_path / "scout.dcm").data.shape == (1, 9, 9)


def test_orientations_within_one_series_are_stacks(tmp_path: Path) -> None:
    write_series(tmp_path)
    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    for path in write_series(tmp_path / "b", orientation=coronal).iterdir():
        path.rename(tmp_path / f"b{path.name}")
    with pytest.raises(ChoiceNeededError) as caught:
        open_source(tmp_path)
    assert [choice.rpartition(", ")[2] for choice in caught.value.choices] == ["axial 4 × 5", "coronal 4 × 5"]


@pytest.mark.parametrize("cut", [0.9, 0.75])
def test_a_file_cut_off_in_its_pixels_is_named(tmp_path: Path, cut: float) -> None:
    write_series(tmp_path, stored_values((6, 50, 40)))
    path = tmp_path / "014.dcm"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    with pytest.raises(DamagedFileError, match=r"014\.dcm is damaged .*; copy or download it again\.$"):
        open_source(tmp_path)


def test_a_file_cut_off_in_its_header_is_named(tmp_path: Path) -> None:
    write_series(tmp_path)
    path = tmp_path / "014.dcm"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\x28\x00\x10\x00")])  # before Rows
    with pytest.raises(DamagedFileError, match=r"014\.dcm is damaged \(it ends inside its DICOM header"):
        open_source(tmp_path)


def test_a_damaged_file_of_unknown_series_is_noted(tmp_path: Path) -> None:
    write_series(tmp_path)
    (tmp_path / "empty.dcm").write_bytes(b"")
    source = open_source(tmp_path)
    assert source.data.shape == SHAPE
    assert "1 damaged file was left out: empty.dcm." in notes_of(source)


def test_the_same_volume_is_read_whatever_the_files_are_called(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "a")
    files = sorted(folder.iterdir())
    random.Random(1).shuffle(files)
    for n, path in enumerate(files):
        path.rename(folder / f"shuffled{n}")
    assert np.array_equal(open_source(folder).data, shown(stored_values()))


def test_an_enhanced_multiframe_file_is_a_volume(tmp_path: Path) -> None:
    values = stored_values()
    order = [3, 0, 5, 1, 4, 2]
    path = write_enhanced(tmp_path / "enhanced.dcm", values[order], [n * STEP for n in order])
    source = open_source(path)
    assert np.array_equal(source.data, shown(values))
    assert source.path == path
    assert source.slice_files == (path,) * 6
    assert source.slice_frames == (1, 3, 5, 0, 4, 2)
    assert source.spacing.values == pytest.approx((STEP, *SPACING))


def test_phases_of_an_enhanced_file_are_volumes(tmp_path: Path) -> None:
    values = np.concatenate([stored_values(), stored_values() + 5])
    path = write_enhanced(
        tmp_path / "e.dcm", values, [n % 6 * STEP for n in range(12)], phases=[1 + n // 6 for n in range(12)]
    )
    with pytest.raises(ChoiceNeededError) as caught:
        open_source(path)
    assert [choice.rpartition(", ")[2] for choice in caught.value.choices] == ["phase 1", "phase 2"]
    assert np.array_equal(open_source(path, volume_index=1).data, shown(stored_values()) + 5)


def test_files_without_positions_open_in_order_of_their_numbers(tmp_path: Path) -> None:
    absent = {"ImagePositionPatient": None}
    write_series(tmp_path, each=lambda n: absent | {"InstanceNumber": n + 1})
    source = open_source(tmp_path)
    assert np.array_equal(source.data, shown(stored_values()))
    assert not source.grid.known
    assert "left and right are not known" in notes_of(source)
    assert source.spacing.values[0] == STEP


@pytest.mark.parametrize("absent", [{}, {"SliceLocation": None}, {"SliceLocation": 0.0}])
def test_positions_that_were_wiped_do_not_count(tmp_path: Path, absent: dict) -> None:
    """As made anonymous: all positions are zero, slice locations or only instance numbers are left."""
    own = lambda n: {"ImagePositionPatient": [0, 0, 0], "SliceLocation": n * STEP, "InstanceNumber": n + 1} | absent  # noqa: E731
    source = open_source(write_series(tmp_path, each=own))
    assert np.array_equal(source.data, shown(stored_values()))
    assert source.spacing.values[0] == STEP
    assert not source.grid.known
    assert "left and right are not known" in notes_of(source)


def test_a_picture_of_many_slices_is_refused(tmp_path: Path) -> None:
    own = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"], "Modality": "MR"}
    path = write_slice(tmp_path / "mosaic.dcm", stored_values()[0], SOPClassUID="1.2.840.10008.5.1.4.1.1.4", **own)
    with pytest.raises(UnsupportedFormatError, match="is a DICOM MR object, which this version does not read"):
        open_source(path)


def test_compression_with_loss_is_noted(tmp_path: Path) -> None:
    assert "compressed with loss" in notes_of(open_source(write_series(tmp_path, LossyImageCompression="01")))


def test_folders_without_volumes_say_so(tmp_path: Path) -> None:
    write_slice(tmp_path / "seg.dcm", stored_values()[0], Modality="SEG", SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4")
    with pytest.raises(UnsupportedFormatError, match=r"holds DICOM objects \(segmentation\), but neither"):
        open_source(tmp_path)


def test_a_chest_radiograph_is_refused_by_name(tmp_path: Path) -> None:
    path = write_slice(
        tmp_path / "cr", stored_values()[0], Modality="CR", SOPClassUID="1.2.840.10008.5.1.4.1.1.1", **_NO_PLACE
    )
    with pytest.raises(UnsupportedFormatError, match="is a DICOM CR object"):
        open_source(path)


_NO_PLACE = {"ImagePositionPatient": None, "ImageOrientationPatient": None}


def test_opening_is_a_job_with_progress_that_can_be_stopped(tmp_path: Path) -> None:
    write_series(tmp_path)
    events = list(open_steps(tmp_path))
    assert [(e.total, e.unit) for e in events if isinstance(e, Started)] == [(6, "files"), (6, "slices")]
    assert [e.done for e in events if isinstance(e, Working)][-1] == 6
    assert isinstance(events[-1], Finished)
    job = open_steps(tmp_path)
    while not (isinstance(event := next(job), Started) and event.unit == "slices"):
        pass
    next(job)
    job.close()


def test_detection_does_not_read_pixels(tmp_path: Path) -> None:
    path = write_slice(tmp_path / "a.dcm", stored_values()[0])
    path.write_bytes(path.read_bytes()[:-10])
    assert (detect(path).kind, detect(tmp_path).reader) == ("volume", "dicom")


def test_a_kind_is_asked_of_a_folder_too(tmp_path: Path) -> None:
    with closing(open_source(write_series(tmp_path, orientation=AXIAL), kind="volume")) as source:
        assert source.kind == "volume"


@pytest.mark.parametrize("thickness", [-2.5, 0, None, 2.5])
def test_a_thickness_that_cannot_be_meant_is_no_gap(tmp_path: Path, thickness: float | None) -> None:
    source = open_source(write_series(tmp_path / "ct", SliceThickness=thickness))
    assert source.spacing.values == (STEP, *SPACING)
    assert notes_of(source) == ""
    mask = (source.data > -1000).astype(np.uint8)
    assert np.array_equal(read_labels(write_mask(mask, source, tmp_path / "m.nii.gz"), source), mask)


@pytest.mark.parametrize("thickness", [-2.5, 0])
def test_a_segmentation_of_such_slices_says_a_thickness_that_can_be(tmp_path: Path, thickness: float) -> None:
    source = open_source(write_series(tmp_path / "ct", SliceThickness=thickness, StudyInstanceUID="1.2.8"))
    path = write_mask((source.data > -1000).astype(np.uint8), source, tmp_path / "m.dcm")
    shared = pydicom.dcmread(path).SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].SliceThickness == STEP
