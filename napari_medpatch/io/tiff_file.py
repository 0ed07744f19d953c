"""Open TIFF files with tifffile: errors as sentences, warnings kept off the terminal."""

import functools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.reading import damaged, reading
from napari_medpatch.io.tiff_pages import DECODE_ERRORS

_state = threading.local()


@contextmanager
def open_tiff(path: Path) -> Iterator[Any]:
    """Open a file with tifffile.

    Yields
    ------
    tifffile.TiffFile

    Raises
    ------
    UnsupportedFormatError
        If it does not exist or must not be read.
    DamagedFileError
        If its directories cannot be read.
    """
    import tifffile

    with reading(path), _quiet():
        try:
            with tifffile.TiffFile(path) as tif:
                if not len(tif.pages):
                    raise DamagedFileError(damaged(path, "it has no image directory, so it was probably cut off"))
                yield tif
        except OSError:
            raise
        except DECODE_ERRORS as error:
            raise DamagedFileError(damaged(path, f"its TIFF directory cannot be read: {error}")) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop tifffile's log records of this thread: what matters is raised, with the file's name."""
    _install_filter()
    before = getattr(_state, "quiet", False)
    _state.quiet = True
    try:
        yield
    finally:
        _state.quiet = before


@functools.cache
def _install_filter() -> None:
    logging.getLogger("tifffile").addFilter(lambda record: not getattr(_state, "quiet", False))
