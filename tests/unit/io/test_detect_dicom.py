"""DICOM slides, CT series and other DICOM."""

import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.detect import detect
from napari_medpatch.io.detect_dicom import read_dicom_header, slide_in_folder


def dicom(path: Path, modality: str = "CT", series: str | None = None, uid: str = CTImageStorage) -> Path:
    """Write a DICOM file without pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid, generate_uid()
    dataset.SeriesInstanceUID = series or generate_uid()
    dataset.Modality = modality
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def test_a_single_slice_and_a_slice_of_a_series_are_told_apart(tmp_path: Path) -> None:
    alone = dicom(tmp_path / "alone.dcm")
    for n in range(3):
        dicom(tmp_path / f"{n}.dcm", series="1.2.3")
    with pytest.raises(UnsupportedFormatError, match="is a single DICOM CT slice"):
        detect(alone)
    with pytest.raises(UnsupportedFormatError, match=r"is one slice of a DICOM CT series.*dcm2niix"):
        detect(tmp_path / "1.dcm")


def test_a_folder_names_its_largest_series(tmp_path: Path) -> None:
    dicom(tmp_path / "localizer", series="1.2.4")
    for n in range(5):
        dicom(tmp_path / f"IM{n}", modality="MR", series="1.2.3")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UnsupportedFormatError, match="is a DICOM MR series of 5 files"):
        detect(tmp_path)


def test_a_folder_of_folders_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    dicom(tmp_path / "series" / "1")
    with pytest.raises(UnsupportedFormatError, match="single DICOM CT file"):
        detect(tmp_path)


@pytest.mark.parametrize("content", [[], ["a.txt"], ["a.png", "b.jpg"]])
def test_a_folder_without_dicom_says_so(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        (tmp_path / name).write_text("x")
    with pytest.raises(UnsupportedFormatError, match="is a folder without DICOM files"):
        detect(tmp_path)


@pytest.mark.parametrize(("modality", "name"), [("SEG", "segmentation"), ("OP", "ophthalmic"), ("US", "US")])
def test_other_objects_are_named(tmp_path: Path, modality: str, name: str) -> None:
    path = dicom(tmp_path / "a", modality=modality, uid="1.2.840.10008.5.1.4.1.1.6.1")
    with pytest.raises(UnsupportedFormatError, match=f"is a DICOM {name}"):
        detect(path)


def test_a_file_without_modality_is_told_by_its_class(real_data: Path) -> None:
    header = read_dicom_header(real_data / "odd/dicom/ct_slice_no_modality_0.dcm")
    assert (header.modality, header.is_slide) == ("CT", False)


def test_a_file_without_preamble_is_read(tmp_path: Path) -> None:
    path = dicom(tmp_path / "with.dcm")
    bare = tmp_path / "bare"
    bare.write_bytes(path.read_bytes()[132:])
    path.unlink()
    with pytest.raises(UnsupportedFormatError, match="single DICOM CT slice"):
        detect(bare)


def test_a_slide_is_found_among_other_files(real_data: Path, tmp_path: Path) -> None:
    for path in (real_data / "wsi/CMU-1-Small-Region_dicom").iterdir():
        shutil.copy(path, tmp_path)
    dicom(tmp_path / "ct.dcm")
    (tmp_path / "README").write_text("about")
    assert read_dicom_header(slide_in_folder(tmp_path)).is_slide
    found = detect(tmp_path)
    assert (found.kind, found.reader, found.path) == ("slide", "openslide", tmp_path)
    assert found.entry.parent == tmp_path


def test_of_two_slides_none_is_chosen(real_data: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match="holds 4 DICOM slides"):
        slide_in_folder(real_data / "odd/dicom")
