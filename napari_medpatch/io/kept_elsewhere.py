"""A place for finished work that cannot be written where it was wanted: the disk is full, the folder is gone."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from napari_medpatch.errors import MedPatchError
from napari_medpatch.io.class_files import split_suffix
from napari_medpatch.io.project_folder import user_data_folder

T = TypeVar("T")


def keep_elsewhere(name: str, save: Callable[[Path], T], among: str = "kept") -> tuple[Path, T] | None:
    """Save in the user's data folder or, if that cannot be written either, among the system's temporary files.

    Parameters
    ----------
    name : str
        Of the file or folder; it gets ``kept-`` before it, and a number if that is taken.
    save : callable
        Takes a path and writes there; raises a :class:`~napari_medpatch.errors.MedPatchError` if it cannot.
    among : str
        Folder in the user's data folder.

    Returns
    -------
    tuple or None
        Where it lies and what ``save`` returned; None if it could be written nowhere.
    """
    for folder in _places(among):
        with suppress(MedPatchError, OSError):
            path = _untaken(folder, f"kept-{name}")
            return path, save(path)
    return None


def kept_sentence(error: Exception, what: str, path: Path, remedy: str) -> str:
    """Return the sentence that says why work was not written, where it lies now and what to do with it.

    Parameters
    ----------
    error : Exception
        Why it was not written; what to do about that is left out.
    what : str
        The work, ``"the trained model"``.
    path : Path
        Where it lies.
    remedy : str
        What to do, as the end of a sentence.
    """
    hurry = ", before the system empties that place" if Path(tempfile.gettempdir()) in path.parents else ""
    return f"{reason(error)}; {what} is kept in {path}: {remedy}{hurry}."


def reason(error: Exception) -> str:
    """Return what a sentence says has happened, without what it says to do."""
    return str(error).partition(";")[0].rstrip(".")


def _places(among: str) -> Iterator[Path]:
    yield user_data_folder() / among
    try:
        place = Path(tempfile.mkdtemp(prefix="medpatch-"))
    except OSError:
        return
    try:
        yield place
    finally:
        with suppress(OSError):  # Of a folder with something in it.
            place.rmdir()


def _untaken(folder: Path, name: str) -> Path:
    stem, suffix = split_suffix(Path(name))
    names = (name, *(f"{stem}-{number}{suffix}" for number in range(2, 10_000)))
    return next(folder / each for each in names if not (folder / each).exists())
