"""Files that are complete or absent: write to a temporary sibling, then ``os.replace``."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_medpatch.errors import OutputError


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    Parameters
    ----------
    path : path-like
        Final file; its folder is created. The temporary name keeps all suffixes of the final one, so
        that libraries which look at them write the right format.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full; the previous file is left as it was.
    """
    target = Path(path)
    with _os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".tmp-", suffix="-" + target.name, dir=target.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with _os_errors(target):
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that takes its place when the block ends well.

    Raises
    ------
    OutputError
        As :func:`atomic_file`.
    """
    target = Path(path)
    with _os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", suffix="-" + target.name, dir=target.parent))
    try:
        with _os_errors(target):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            _swap_folders(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_writable(path: str | os.PathLike[str], *, folder: bool | None = None) -> None:
    """Raise :class:`OutputError` now if ``path`` could not be written later; leaves no file behind.

    Parameters
    ----------
    path : path-like
        File or folder to write.
    folder : bool, optional
        Which of the two, where that is known: neither replaces the other.
    """
    target = Path(path)
    with _os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if folder is not None and target.exists() and target.is_dir() != folder:
            raise FileExistsError(errno.EEXIST, "a file or folder of that name", str(target))
        if target.is_dir() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "folder not writable", str(target))
        handle, name = tempfile.mkstemp(prefix=".tmp-", dir=target.parent)
        os.close(handle)
        os.unlink(name)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a JSON file atomically, indented, NaN refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _swap_folders(temporary: Path, target: Path) -> None:
    """Put ``temporary`` in place of ``target``, which may exist; a folder cannot be replaced in one call."""
    if not target.exists():
        os.replace(temporary, target)
        return
    if not target.is_dir():
        raise FileExistsError(errno.EEXIST, "a file of that name", str(target))
    old = Path(tempfile.mkdtemp(prefix=".old-", suffix="-" + target.name, dir=target.parent))
    os.replace(target, old / "previous")
    try:
        os.replace(temporary, target)
    except OSError:
        os.replace(old / "previous", target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _os_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(_sentence(error, target)) from error


def _sentence(error: OSError, target: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: {target} was not written; free some space and try again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{target} cannot be written (no permission); choose another folder."
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return f"{target} cannot be written because a file or folder of that name is in the way."
    return f"{target} could not be written: {error.strerror or error}."


def _umask() -> int:
    """Return the process's umask (it can only be read by setting it)."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
