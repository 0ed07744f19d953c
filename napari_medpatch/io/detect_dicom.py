"""Tell DICOM slides from CT series and other DICOM, for files and folders."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from napari_medpatch.errors import DamagedFileError, MedPatchError, UnsupportedFormatError
from napari_medpatch.io.reading import damaged, reading
from napari_medpatch.io.source import Kind

_SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
_CLASS_MODALITY = {
    _SLIDE_CLASS: "SM",
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.77.1.5.1": "OP",
}
_NAMES = {"CT": "CT", "MR": "MR", "PT": "PET", "SEG": "segmentation", "OP": "ophthalmic photograph"}
_TAGS = ("SOPClassUID", "Modality", "SeriesInstanceUID", "MediaStorageSOPClassUID")
_LOOKED_AT = 200
"""Files of a folder that are looked at for a slide, which has a handful; a CT series may have thousands."""


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """The little of a DICOM file that says what it is.

    Parameters
    ----------
    modality : str
        ``"SM"`` (slide), ``"CT"``, ``"MR"``…; ``""`` if neither modality nor class say it.
    series : str
        UID of its series.
    is_slide : bool
        Whether it is an instance of a whole-slide image.
    """

    modality: str
    series: str
    is_slide: bool


def read_dicom_header(path: Path) -> DicomHeader:
    """Read what kind of DICOM a file is.

    Raises
    ------
    UnsupportedFormatError
        If it is not DICOM after all.
    DamagedFileError
        If it ends inside its header.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    from napari_medpatch.io.dicom_header import quiet_pydicom

    quiet_pydicom()
    with reading(path):
        try:
            dataset: Any = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(_TAGS[:3]))
            kind = str(dataset.get("SOPClassUID", "") or _media_class(dataset))
            modality = str(dataset.get("Modality", "") or "") or _CLASS_MODALITY.get(kind, "")
            series = str(dataset.get("SeriesInstanceUID", ""))
        except InvalidDicomError as error:
            raise UnsupportedFormatError(f"{path} is not a DICOM file ({error}).") from error
        except (ValueError, KeyError, AttributeError, TypeError, NotImplementedError) as error:
            raise DamagedFileError(damaged(path, f"its DICOM header cannot be read: {error}")) from error
    if not kind and not modality:
        raise UnsupportedFormatError(f"{path} is a DICOM file without an image class (a directory or report?).")
    return DicomHeader(modality, series, kind == _SLIDE_CLASS)


def refuse_dicom(path: Path, header: DicomHeader) -> UnsupportedFormatError:
    """Return the error for a DICOM file that is neither a slide nor a slice of a volume."""
    name = _NAMES.get(header.modality, header.modality or "unknown")
    return UnsupportedFormatError(
        f"{path} is a DICOM {name} object, which this version does not read; it reads DICOM slides and series of CT, "
        "MR and PET."
    )


def is_slice(path: Path) -> bool:
    """Return whether a DICOM file holds slices of a volume.

    Raises
    ------
    DamagedFileError
        If it ends inside its header.
    """
    from napari_medpatch.io.dicom_header import read_slices

    return bool(read_slices(path))


def find_in_folder(folder: Path) -> tuple[Kind, Path]:
    """Return what a folder holds, slide or volume, and a file of it.

    Raises
    ------
    UnsupportedFormatError
        If there is no DICOM image, or more than one slide in it.
    """
    from napari_medpatch.io.dicom_folder import dicom_among, file_groups

    others: list[str] = []
    for files in file_groups(folder):
        headers = list(_headers(islice(dicom_among(files), _LOOKED_AT)))
        if any(header.is_slide for _, header in headers):
            return "slide", _the_slide(folder, dicom_among(files))
        for path, header in headers:
            if _is_readable_slice(path):
                return "volume", path
            others.append(header.modality)
    if not others:
        raise UnsupportedFormatError(
            f"{folder} is a folder without DICOM images; give an image file, or a folder with a DICOM series."
        )
    kinds = sorted({_NAMES.get(modality, modality or "unknown") for modality in others})
    raise UnsupportedFormatError(
        f"{folder} holds DICOM objects ({', '.join(kinds)}), but neither a slide nor a series of CT, MR or PET."
    )


def slide_in_folder(folder: Path) -> Path:
    """Return a file of the DICOM slide in a folder.

    Raises
    ------
    UnsupportedFormatError
        If there is no slide, or more than one.
    """
    kind, path = find_in_folder(folder)
    if kind != "slide":
        raise UnsupportedFormatError(f"{folder} holds a DICOM series of CT, MR or PET and no slide.")
    return path


def _the_slide(folder: Path, files: Iterable[Path]) -> Path:
    slides: dict[str, Path] = {}
    for path, header in _headers(files):
        if header.is_slide:
            slides.setdefault(header.series, path)
    if len(slides) > 1:
        raise UnsupportedFormatError(f"{folder} holds {len(slides)} DICOM slides; give one file of the slide to open.")
    return next(iter(slides.values()))


def _is_readable_slice(path: Path) -> bool:
    try:
        return is_slice(path)
    except DamagedFileError:
        return True  # the reader says what is wrong with it


def _headers(files: Iterable[Path]) -> Iterator[tuple[Path, DicomHeader]]:
    for path in files:
        try:
            yield path, read_dicom_header(path)
        except MedPatchError:
            continue  # a folder may hold anything besides its series


def _media_class(dataset: Any) -> str:
    return str(getattr(dataset.file_meta, "MediaStorageSOPClassUID", "") or "") if hasattr(dataset, "file_meta") else ""
