"""Find the DICOM images of a folder and read their headers."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from napari_medpatch.errors import MedPatchError
from napari_medpatch.io.dicom_header import quiet_pydicom, read_slices, series_of
from napari_medpatch.io.dicom_slice import DicomSlice
from napari_medpatch.io.reading import reading
from napari_medpatch.io.signature import read_head, signature

_MOST_FILES = 20_000
_DEEPEST = 6
_PATIENCE = 2_000
_DICOM_SUFFIXES = {".dcm", ".dicom", ".ima"}


@dataclass(slots=True)
class Headers:
    """What the headers of a folder say.

    Parameters
    ----------
    slices : list of DicomSlice
        Of all series.
    damaged : dict of Path to str
        Files that should be images but cannot be read, with the sentence.
    series_of_damaged : dict of Path to str
        Their series, ``""`` where not even that can be read.
    """

    slices: list[DicomSlice] = field(default_factory=list)
    damaged: dict[Path, str] = field(default_factory=dict)
    series_of_damaged: dict[Path, str] = field(default_factory=dict)


def file_groups(folder: Path) -> Iterator[list[Path]]:
    """Yield the files of a folder, then those of all folders in it; lists are not empty.

    Who finds images in the first list need not look at the second, which may be long: exports with a ``DICOMDIR``
    keep a folder per series, and a patient's folder several studies.

    Parameters
    ----------
    folder : Path
        Where to look.

    Raises
    ------
    UnsupportedFormatError
        If the folder cannot be read.
    """
    with reading(folder):
        entries = sorted(folder.iterdir())
    own = [path for path in entries if path.is_file()]
    if own:
        yield own
    below = list(islice(_files_below(entries, _DEEPEST), _MOST_FILES))
    if below:
        yield below


def dicom_among(files: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that may be DICOM; gives up where thousands of files are something else."""
    found = False
    for count, path in enumerate(files):
        if may_be_dicom(path):
            found = True
            yield path
        elif not found and count > _PATIENCE:
            return


def read_headers(files: Sequence[Path]) -> Generator[int, None, Headers]:
    """Read the headers of files; yields how many are done.

    Parameters
    ----------
    files : sequence of Path
        DICOM files and others, which are passed over.
    """
    quiet_pydicom()
    found = Headers()
    for done, path in enumerate(files, start=1):
        try:
            found.slices += read_slices(path) if may_be_dicom(path) else []
        except MedPatchError as error:
            found.damaged[path] = str(error)
            found.series_of_damaged[path] = series_of(path)
        yield done
    return found


def _files_below(entries: Sequence[Path], depth: int) -> Iterator[Path]:
    """Yield the files in folders of a folder; those that must not be read are passed over."""
    for entry in entries:
        if depth and entry.is_dir() and not entry.name.startswith("."):
            try:
                inner = sorted(entry.iterdir())
            except OSError:
                continue
            yield from (path for path in inner if path.is_file())
            yield from _files_below(inner, depth - 1)


def may_be_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM, or is called so and cannot be read."""
    if path.name.upper() == "DICOMDIR" or path.name.startswith("."):
        return False
    try:
        return signature(read_head(path)) == "dicom"
    except MedPatchError:
        return path.suffix.lower() in _DICOM_SUFFIXES
