"""Whether a disk has room for what will be written when the work is done."""

import os
import shutil
from pathlib import Path

from napari_medpatch.errors import OutputError
from napari_medpatch.io.wording import bytes_text


def check_space(path: str | os.PathLike[str], size: int, what: str) -> None:
    """Raise now what writing would raise after hours of work; what is taken meanwhile nobody knows.

    Parameters
    ----------
    path : path-like
        File or folder to write; it need not exist.
    size : int
        Bytes that it will take, beside what is there already.
    what : str
        What takes them, as the sentence names it: ``"the model"``.

    Raises
    ------
    OutputError
        If the disk has less.
    """
    free = free_bytes(path)
    if free is not None and free < size:
        raise OutputError(
            f"The disk of {path} has {bytes_text(free)} free and {what} takes {bytes_text(size)}; free some space or "
            "choose another folder."
        )


def free_bytes(path: str | os.PathLike[str]) -> int | None:
    """Return how much can be written beside a path, None if the file system does not say."""
    there = next((place for place in (Path(path), *Path(path).absolute().parents) if place.exists()), None)
    try:
        usage = shutil.disk_usage(there) if there is not None else None
    except OSError:
        return None
    # Some network file systems say 0 of 0.
    return usage.free if usage is not None and usage.total else None
