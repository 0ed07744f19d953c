"""Malformed DICOM elements are absent, not exceptions."""

import pytest
from pydicom.dataset import Dataset

from napari_medpatch.io.dicom_dataset import item, length, number, numbers, text, whole


@pytest.fixture
def dataset() -> Dataset:
    found = Dataset()
    found.SeriesDescription, found.ImageType = " CHEST ", ["ORIGINAL", "PRIMARY"]
    found.SliceThickness, found.PixelSpacing, found.Rows = "2.5", [0.5, 0.75], 512
    found.PatientName = ""
    inner = Dataset()
    inner.EchoTime = 3
    found.MREchoSequence = [inner]
    return found


def test_values_of_the_usual_kinds(dataset: Dataset) -> None:
    assert text(dataset, "SeriesDescription") == "CHEST"
    assert text(dataset, "ImageType") == "ORIGINAL\\PRIMARY"
    assert number(dataset, "SliceThickness") == 2.5
    assert numbers(dataset, "PixelSpacing", 2) == (0.5, 0.75)
    assert whole(dataset, "Rows") == 512
    assert number(item(dataset, "MREchoSequence"), "EchoTime") == 3


def test_what_is_absent_or_empty(dataset: Dataset) -> None:
    assert text(dataset, "PatientName") == text(dataset, "StudyDescription") == ""
    assert number(dataset, "EchoTime") is None
    assert numbers(dataset, "PixelSpacing", 3) is None
    assert whole(dataset, "Columns", 7) == 7
    assert item(dataset, "SharedFunctionalGroupsSequence") is None
    assert item(dataset, "MREchoSequence", 1) is None
    assert item(None, "MREchoSequence") is None
    assert number(None, "EchoTime") is None


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("value", [b"two mm", b"1e400", b"\xff\xfe", b"nan"])
def test_bytes_that_are_no_number(value: bytes) -> None:
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    found = Dataset()
    tag = Tag("SliceThickness")
    found[tag] = RawDataElement(tag, "DS", len(value), value, 0, False, True)
    assert number(found, "SliceThickness") is None


@pytest.mark.parametrize(
    ("value", "expected"), [("2.5", 2.5), ("-2.5", 2.5), ("0", None), ("-0.0", None), (None, None), ("", None)]
)
def test_a_length_has_no_sign_and_is_not_nothing(value: str | None, expected: float | None) -> None:
    found = Dataset()
    found.SliceThickness = value
    assert length(found, "SliceThickness") == expected
    assert length(None, "SliceThickness") is None
