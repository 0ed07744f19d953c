"""Tell DICOM slides from CT series and other DICOM, for files and folders."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medpatch.errors import DamagedFileError, MedPatchError, UnsupportedFormatError
from napari_medpatch.io.reading import damaged, reading
from napari_medpatch.io.signature import read_head, signature

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
_MOST_FILES = 20_000


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
    """Return the error for a DICOM file that is not a slide; says whether it is one slice of several."""
    name = _NAMES.get(header.modality, header.modality or "unknown")
    if header.modality in ("CT", "MR", "PT"):
        siblings = (other for file, other in _headers(path.parent) if file != path)
        more = any(header.series and other.series == header.series for other in siblings)
        return _series_error(path, f"one slice of a DICOM {name} series" if more else f"a single DICOM {name} slice")
    return UnsupportedFormatError(
        f"{path} is a DICOM {name} object, which this version does not read; it reads DICOM slides and NIfTI volumes."
    )


def slide_in_folder(folder: Path) -> Path:
    """Return a file of the DICOM slide in a folder.

    Raises
    ------
    UnsupportedFormatError
        If there is no DICOM, no slide, or more than one slide in it.
    """
    slides: dict[str, Path] = {}
    others: dict[str, list[str]] = {}
    for path, header in _headers(folder):
        if header.is_slide:
            slides.setdefault(header.series, path)
        else:
            others.setdefault(header.series, []).append(header.modality)
    if len(slides) > 1:
        raise UnsupportedFormatError(f"{folder} holds {len(slides)} DICOM slides; give one file of the slide to open.")
    if slides:
        return next(iter(slides.values()))
    if not others:
        raise UnsupportedFormatError(
            f"{folder} is a folder without DICOM files; give an image file, or a folder with one DICOM series."
        )
    largest = max(others.values(), key=len)
    name = _NAMES.get(largest[0], largest[0] or "unknown")
    count = len(largest)
    raise _series_error(
        folder, f"a DICOM {name} series of {count} files" if count > 1 else f"a single DICOM {name} file"
    )


def _series_error(path: Path, what: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(
        f"{path} is {what}; this version reads volumes as NIfTI, so convert it first, for example with "
        "dcm2niix or SimpleITK."
    )


def _headers(folder: Path) -> Iterator[tuple[Path, DicomHeader]]:
    """Yield the DICOM files of a folder, or of the folders in it if it holds no files of its own."""
    with reading(folder):
        entries = sorted(folder.iterdir())
    files = [path for path in entries if path.is_file()]
    if not files:
        files = [path for inner in entries if inner.is_dir() for path in sorted(inner.iterdir()) if path.is_file()]
    for path in files[:_MOST_FILES]:
        try:
            if signature(read_head(path)) == "dicom":
                yield path, read_dicom_header(path)
        except MedPatchError:
            continue  # a folder may hold anything besides its series


def _media_class(dataset: Any) -> str:
    return str(getattr(dataset.file_meta, "MediaStorageSOPClassUID", "") or "") if hasattr(dataset, "file_meta") else ""
