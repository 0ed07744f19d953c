"""DICOM slides, CT series and other DICOM."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_cases import shown, stored_values, write_series, write_slice
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.detect import detect, open_source
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


def test_a_slice_is_a_volume(tmp_path: Path) -> None:
    found = detect(write_slice(tmp_path / "alone.dcm", stored_values()[0]))
    assert (found.kind, found.reader, found.format) == ("volume", "dicom", "DICOM series")


def test_a_folder_of_folders_is_looked_into(tmp_path: Path) -> None:
    write_series(tmp_path / "study" / "series")
    (tmp_path / "notes.txt").write_text("hello")
    found = detect(tmp_path)
    assert (found.kind, found.path, found.entry) == ("volume", tmp_path, tmp_path)


def test_a_folder_of_other_objects_names_them(tmp_path: Path) -> None:
    for n, modality in enumerate(("SR", "OP")):
        dicom(tmp_path / str(n), modality=modality, uid="1.2.840.10008.5.1.4.1.1.6.1")
    with pytest.raises(UnsupportedFormatError, match=r"holds DICOM objects \(SR, ophthalmic photograph\), but neither"):
        detect(tmp_path)


@pytest.mark.parametrize("content", [[], ["a.txt"], ["a.png", "b.jpg"]])
def test_a_folder_without_dicom_says_so(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        (tmp_path / name).write_text("x")
    with pytest.raises(UnsupportedFormatError, match="is a folder without DICOM images"):
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
    path = write_slice(tmp_path / "with.dcm", stored_values()[0])
    bare = tmp_path / "bare"
    data = path.read_bytes()
    bare.write_bytes(data[data.index(b"\x08\0\x08\0") :])  # behind preamble and file meta group
    path.unlink()
    assert detect(bare).kind == "volume"
    assert np.array_equal(open_source(bare).data[0], shown(stored_values()[0]))


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
