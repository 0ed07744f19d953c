"""Read the headers of DICOM images: one slice per file, or one per frame of an enhanced multi-frame file."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.dicom_dataset import item, length, number, numbers, text, whole
from napari_medpatch.io.dicom_slice import DicomFile, DicomSlice, Vector
from napari_medpatch.io.reading import damaged, reading

IMAGE_CLASSES: Mapping[str, str] = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "MR",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
    "1.2.840.10008.5.1.4.1.1.130": "PT",
    "1.2.840.10008.5.1.4.1.1.128.1": "PT",
}
"""Classes whose images are slices of a volume, with their modality (enhanced and legacy converted ones too)."""

_NOT_IMAGES = {"SEG", "RTDOSE", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG", "SM", "PMAP", "SMR", "DOC"}
_TAGS = [
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality", "SeriesNumber"),
    *("SeriesDescription", "ProtocolName", "ImageType", "InstanceNumber", "NumberOfFrames", "Rows", "Columns"),
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsStored", "PixelRepresentation", "PixelPaddingValue"),
    *("PixelPaddingRangeLimit", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceLocation"),
    *("SliceThickness", "SpacingBetweenSlices", "RescaleSlope", "RescaleIntercept", "RescaleType"),
    *("ModalityLUTSequence", "AcquisitionNumber", "TemporalPositionIdentifier", "TriggerTime", "EchoTime"),
    *("EchoNumbers", "DiffusionBValue", "ConvolutionKernel", "KVP", "AcquisitionTime", "ContrastBolusAgent"),
    *("Manufacturer", "BodyPartExamined", "NominalPercentageOfCardiacPhase", "LossyImageCompression"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
]
_MARKS = {
    "phase": ("TemporalPositionIdentifier", "NominalPercentageOfCardiacPhase", "TriggerTime"),
    "echo": ("EchoNumbers", "EchoTime"),
    "b-value": ("DiffusionBValue",),
    "acquisition": ("AcquisitionNumber",),
    "image type": ("ImageType",),
    "kernel": ("ConvolutionKernel",),
    "kV": ("KVP",),
    "time": ("AcquisitionTime",),
}
_FACTS = {"convolution_kernel": "ConvolutionKernel", "body_part": "BodyPartExamined", "manufacturer": "Manufacturer"}


def quiet_pydicom() -> None:
    """Keep pydicom's remarks about slightly wrong files out of the terminal; what matters is said in notes."""
    warnings.filterwarnings("ignore", module=r"pydicom\.")
    log = logging.getLogger("pydicom")
    if log.level == logging.NOTSET:
        log.setLevel(logging.ERROR)


def read_slices(path: Path) -> list[DicomSlice]:
    """Return the slices that a DICOM file holds; none if it is no image of a volume.

    Parameters
    ----------
    path : Path
        A DICOM file, with or without a preamble.

    Raises
    ------
    DamagedFileError
        If it ends inside its header.
    UnsupportedFormatError
        If it cannot be opened.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    with reading(path):
        try:
            dataset: Any = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
            syntax = text(getattr(dataset, "file_meta", None), "TransferSyntaxUID")
        except (InvalidDicomError, ValueError, KeyError, AttributeError, TypeError, NotImplementedError) as error:
            raise DamagedFileError(damaged(path, f"its DICOM header cannot be read: {error}")) from error
    kind, modality = text(dataset, "SOPClassUID"), _modality(dataset)
    if modality in _NOT_IMAGES:
        return []
    if not whole(dataset, "Rows") or not whole(dataset, "Columns"):
        nameless = not (kind or modality or text(getattr(dataset, "file_meta", None), "MediaStorageSOPClassUID"))
        if kind in IMAGE_CLASSES or nameless:
            raise DamagedFileError(damaged(path, "it ends inside its DICOM header"))
        return []
    if whole(dataset, "SamplesPerPixel", 1) != 1:
        return []  # screenshots and dose reports in colour lie in many series
    file = _file(path, dataset, modality, syntax)
    if item(dataset, "PerFrameFunctionalGroupsSequence") is not None:
        from napari_medpatch.io.dicom_frames import frames_of

        return frames_of(file, dataset)
    if whole(dataset, "NumberOfFrames", 1) > 1 or not _is_placed(dataset, kind):
        return []
    if "MOSAIC" in text(dataset, "ImageType").upper():
        return []  # many slices side by side in one picture
    return [_slice(file, dataset)]


def series_of(path: Path) -> str:
    """Return the series of a file whose header cannot be read to its end; ``""`` if that is lost too."""
    import pydicom

    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["SeriesInstanceUID"])
        return text(dataset, "SeriesInstanceUID")
    except Exception:  # noqa: BLE001 - the file is known to be damaged, in whatever way
        return ""


def directions(dataset: Any) -> tuple[Vector, Vector] | None:
    """Return the unit vectors along a row and along a column, None if absent or impossible."""
    values = numbers(dataset, "ImageOrientationPatient", 6)
    if values is None:
        return None
    row, column = _unit(values[:3]), _unit(values[3:])
    if row is None or column is None or abs(sum(a * b for a, b in zip(row, column, strict=True))) > 1e-2:
        return None
    return row, column


def vector(dataset: Any, name: str) -> Vector | None:
    """Return three numbers, None if absent."""
    values = numbers(dataset, name, 3)
    return None if values is None else (values[0], values[1], values[2])


def pair(dataset: Any, name: str) -> tuple[float, float] | None:
    """Return two positive numbers, None if absent or impossible."""
    values = numbers(dataset, name, 2)
    return None if values is None or min(values) <= 0 else (values[0], values[1])


def _modality(dataset: Any) -> str:
    return text(dataset, "Modality") or IMAGE_CLASSES.get(text(dataset, "SOPClassUID"), "")


def _is_placed(dataset: Any, kind: str) -> bool:
    """Whether an image says where it lies, or is of a class whose images are slices."""
    return vector(dataset, "ImagePositionPatient") is not None or kind in IMAGE_CLASSES


def _file(path: Path, dataset: Any, modality: str, syntax: str) -> DicomFile:
    image_type = text(dataset, "ImageType").upper().split("\\")
    rescale = text(dataset, "RescaleType").upper()
    series_number = number(dataset, "SeriesNumber")
    return DicomFile(
        path=path,
        series=text(dataset, "SeriesInstanceUID"),
        instance=text(dataset, "SOPInstanceUID"),
        frame_of_reference=text(dataset, "FrameOfReferenceUID"),
        number=None if series_number is None else int(series_number),
        description=text(dataset, "SeriesDescription") or text(dataset, "ProtocolName"),
        modality=modality,
        transfer_syntax=syntax,
        inverted=text(dataset, "PhotometricInterpretation") == "MONOCHROME1",
        localizer="LOCALIZER" in image_type or "SCOUT" in image_type,
        is_ct=modality == "CT" and rescale in ("", "HU", "US"),
        bits=whole(dataset, "BitsStored", 16),
        signed=whole(dataset, "PixelRepresentation") == 1,
        padding=_padding(dataset),
        lossy=text(dataset, "LossyImageCompression") == "01",
        facts={key: value for key, name in _FACTS.items() if (value := text(dataset, name))},
    )


def _padding(dataset: Any) -> tuple[int, int] | None:
    """Return the range of stored values that are padding; those of signed images may be stored as unsigned."""
    value, limit = number(dataset, "PixelPaddingValue"), number(dataset, "PixelPaddingRangeLimit")
    if value is None:
        return None
    ends = [int(value), int(value if limit is None else limit)]
    if whole(dataset, "PixelRepresentation") == 1:
        ends = [end - 65536 if end > 32767 else end for end in ends]
    return min(ends), max(ends)


def _slice(file: DicomFile, dataset: Any) -> DicomSlice:
    row, column = directions(dataset) or ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    position = vector(dataset, "ImagePositionPatient") if directions(dataset) is not None else None
    return DicomSlice(
        file=file,
        frame=None,
        rows=whole(dataset, "Rows"),
        columns=whole(dataset, "Columns"),
        position=position,
        along_row=row,
        along_column=column,
        spacing=pair(dataset, "PixelSpacing"),
        thickness=length(dataset, "SliceThickness"),
        distance=length(dataset, "SpacingBetweenSlices"),
        slope=number(dataset, "RescaleSlope"),
        intercept=number(dataset, "RescaleIntercept"),
        has_table=item(dataset, "ModalityLUTSequence") is not None,
        location=number(dataset, "SliceLocation"),
        order=whole(dataset, "InstanceNumber"),
        marks=_marks(dataset),
    )


def _marks(dataset: Any) -> dict[str, str]:
    marks = {}
    for mark, names in _MARKS.items():
        values = [value for name in names if (value := text(dataset, name))]
        if values:
            marks[mark] = " ".join(values)
    return marks


def _unit(values: tuple[float, ...]) -> Vector | None:
    length = sum(v * v for v in values) ** 0.5
    if not 0.9 < length < 1.1:
        return None
    return values[0] / length, values[1] / length, values[2] / length
