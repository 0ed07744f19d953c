"""An array and what is known of it in one file, so that the two can never disagree after a crash.

The file is a ZIP archive that ``numpy.load`` reads too: ``<name>.npy`` and ``about.json``.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.io.atomic import atomic_file

_ABOUT = "about.json"
# Labels and masks are mostly zero: the fastest level already shrinks them a hundredfold.
_LEVEL = 1

BAD_ARCHIVE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
"""What reading a truncated, altered or foreign file may raise; the caller knows what to say of it."""


def write_array_archive(
    path: Path,
    name: str,
    array: npt.NDArray[Any],
    about: Mapping[str, Any],
    more: Mapping[str, npt.NDArray[Any]] | None = None,
) -> None:
    """Write a file, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Of the array.
    array : ndarray
        Any shape and plain dtype.
    about : mapping
        JSON-serialisable.
    more : mapping of str to ndarray, optional
        Further arrays by name; readers that do not know them pass them over.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full; the previous file is kept.
    """
    with (
        atomic_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
    ):
        archive.writestr(_ABOUT, json.dumps(about, ensure_ascii=False))
        for member_name, values in {name: array, **(more or {})}.items():
            with archive.open(f"{member_name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)


def read_array_archive(path: Path, name: str) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Read the array and what is known of it; raises one of :data:`BAD_ARCHIVE` if the file is none of ours."""
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read(_ABOUT))
        array = _member(archive, name)
    if not isinstance(about, dict):
        raise ValueError(f"{_ABOUT} holds no object")
    return array, about


def read_further_array(path: Path, name: str) -> npt.NDArray[Any] | None:
    """Read one of the further arrays, None if the file has none of that name; raises as :func:`read_array_archive`."""
    with zipfile.ZipFile(path) as archive:
        return _member(archive, name) if f"{name}.npy" in archive.namelist() else None


def _member(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return array
