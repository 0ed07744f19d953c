"""Labels that a command names, in every format that holds them, on a DICOM series."""

import json
from pathlib import Path

import highdicom as hd
import nibabel
import numpy as np
import pydicom
import pytest
from dicom_cases import write_series

from napari_medpatch.cli import main
from napari_medpatch.cli.sparse_labels import read_sparse_labels
from napari_medpatch.errors import LabelsError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.export import write_mask
from napari_medpatch.io.labels_file import read_labels

STUDY = {"StudyInstanceUID": "1.2.8", "PatientID": "P1"}
SHAPE = (12, 24, 20)
FORMATS = ("l.nii.gz", "l.nrrd", "l.mha", "l.seg.nrrd", "l.dcm", "slices")


def stored() -> np.ndarray:
    """Stored values of a body with one bubble of air in a corner of it: turned over, it would lie elsewhere."""
    values = np.full(SHAPE, 1064, np.int16)
    values[1:6, 3:12, 2:10] = 200
    return values


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return write_series(tmp_path / "ct", stored(), SliceThickness=2.5, **STUDY)


def strokes(series: Path) -> np.ndarray:
    data = open_source(series).data
    labels = np.zeros(SHAPE, np.uint8)
    labels[2::3, ::2] = np.where(data[2::3, ::2] < -500, 2, 1)
    return labels


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * int((found[truth] > 0).sum()) / int(truth.sum() + (found > 0).sum())


@pytest.mark.parametrize("name", FORMATS)
def test_labels_of_any_format_come_with_their_names(tmp_path: Path, series: Path, name: str) -> None:
    source = open_source(series)
    path = write_mask(strokes(series), source, tmp_path / name, class_names=("background", "bubble"))
    found = read_sparse_labels(str(path), source)
    assert np.array_equal(found.labels, strokes(series))
    assert found.class_names == ("background", "bubble")


@pytest.mark.parametrize("name", FORMATS)
def test_a_series_is_trained_on_by_any_of_them(
    tmp_path: Path, series: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_mask(strokes(series), open_source(series), tmp_path / name, class_names=("background", "bubble"))
    mask = tmp_path / "mask.dcm"
    words = ["-o", tmp_path / "model", "--steps", 1, "--predict", mask, "--json", "--quiet"]
    assert main(["finetune", str(series), str(path), *map(str, words)]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == ["bubble"]
    (segment,) = hd.seg.segread(mask).SegmentSequence
    assert (segment.SegmentLabel, segment.SegmentAlgorithmType) == ("bubble", "SEMIAUTOMATIC")
    assert segment.SegmentAlgorithmName == "model"
    found = read_labels(mask, open_source(series))
    truth = open_source(series).data < -500
    assert dice(found, truth) > 0.75


def test_the_mask_lies_on_the_slices_it_was_painted_on(tmp_path: Path, series: Path) -> None:
    path = write_mask(strokes(series), open_source(series), tmp_path / "l.nii.gz")
    mask = tmp_path / "mask.dcm"
    words = ["-o", tmp_path / "model", "--steps", 1, "--predict", mask, "--quiet"]
    assert main(["finetune", str(series), str(path), *map(str, words)]) == 0
    slices = sorted(
        (pydicom.dcmread(file) for file in series.iterdir()), key=lambda one: float(one.ImagePositionPatient[2])
    )
    seg = hd.seg.segread(mask)
    pixels = seg.get_pixels_by_source_instance(
        [one.SOPInstanceUID for one in slices], assert_missing_frames_are_empty=True, combine_segments=True
    )
    air = np.stack([one.pixel_array for one in slices]) == 200
    assert dice(pixels, air) > 0.75


def test_names_on_the_command_line_count_more_than_those_of_the_file(tmp_path: Path, series: Path) -> None:
    source = open_source(series)
    path = write_mask(strokes(series), source, tmp_path / "l.nrrd", class_names=("background", "bubble"))
    assert read_sparse_labels(str(path), source, ("air",)).class_names == ("background", "air")


def test_classes_without_a_name_are_numbered(tmp_path: Path) -> None:
    values = np.array([[[0, 1, 2, 3, 4]]], np.uint8)
    source = ArraySource(np.zeros((1, 1, 5), np.int16), "volume", (1.0, 1.0, 1.0))
    path = write_mask(values, source, tmp_path / "l.nii.gz", class_names=("background", "lung"))
    assert read_sparse_labels(str(path), source).class_names == ("background", "lung", "class 2", "class 3")
    plain = tmp_path / "plain.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values.transpose(2, 1, 0), np.eye(4)), plain)
    as_ras = open_source(plain)
    assert read_sparse_labels(str(plain), as_ras).class_names[1:] == ("class 1", "class 2", "class 3")


def test_a_mask_given_as_labels_is_told_what_its_values_are_taken_for(
    tmp_path: Path, series: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = open_source(series)
    mask = write_mask((source.data < -500).astype(np.uint8), source, tmp_path / "m.nii.gz", class_names=("lung",))
    assert read_sparse_labels(str(mask), source).class_names == ("background", "class 1")
    assert "the value 1 is called lung there; it is taken for background" in capsys.readouterr().err


def test_too_few_names_are_refused_when_labels_are_checked(tmp_path: Path, series: Path) -> None:
    source = open_source(series)
    values = strokes(series)
    values[0, 0, :3] = 3
    path = write_mask(values, source, tmp_path / "l.nii.gz")
    labels = read_sparse_labels(str(path), source, ("air",))
    with pytest.raises(LabelsError):
        labels.check(source)
