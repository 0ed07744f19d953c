"""napari readers. They look at the file's signature; names only decide that napari asks us."""

import os
from collections.abc import Callable, Sequence
from typing import Any

Reader = Callable[[Any], list[Any]]
Paths = str | os.PathLike[str] | Sequence[str]


_NOT_DICOM = (".zarr", ".n5", ".medpatch")
"""Folders with very many files that other readers know."""


def get_slide_reader(path: Paths) -> Reader | None:
    """Return a reader for whole-slide images, None if it is something else."""
    return _reader(path, "slide")


def get_photo_reader(path: Paths) -> Reader | None:
    """Return a reader for photographs, None if it is something else."""
    return _reader(path, "photo")


def get_volume_reader(path: Paths) -> Reader | None:
    """Return a reader for CT volumes and folders with a DICOM series, None if it is something else."""
    return _reader(path, "volume")


def _reader(path: Paths, kind: str) -> Reader | None:
    """Claim files of a kind; claim broken ones too, so that the user reads our sentence about them."""
    from napari_medpatch.errors import MedPatchError
    from napari_medpatch.io.detect import detect

    if not isinstance(path, str | os.PathLike):
        if len(path) != 1 and not _are_slices(path):
            return None
        path = path[0]
    if os.path.isdir(path) and (kind == "photo" or os.fspath(path).lower().endswith(_NOT_DICOM)):
        return None
    try:
        found = detect(path)
    except MedPatchError:
        return None if os.path.isdir(path) else read
    return read if found.kind == kind else None


def _are_slices(paths: Sequence[str]) -> bool:
    """Return whether files to be opened as a stack are DICOM slices: these make a stack of themselves."""
    from napari_medpatch.errors import MedPatchError
    from napari_medpatch.io.detect import detect

    try:
        return all(detect(path).reader == "dicom" for path in paths)
    except MedPatchError:
        return False


def read(path: Paths) -> list[Any]:
    """Open a file as napari layers.

    Raises
    ------
    MedPatchError
        With the sentence that napari shows.
    """
    from napari_medpatch.plugin.open import read_layers

    one = path if isinstance(path, str | os.PathLike) else path[0]
    return read_layers(one)
