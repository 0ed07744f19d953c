"""One place that turns what goes wrong while reading a file into sentences."""

import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from napari_medpatch.errors import DamagedFileError, ResourceError, UnsupportedFormatError


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise the package's errors for those of the system and of decompression.

    Parameters
    ----------
    path : path-like
        Named in the sentence.

    Raises
    ------
    UnsupportedFormatError
        If the file is absent, a folder or not readable by this user.
    DamagedFileError
        If it ends early or its compressed data are corrupt.
    ResourceError
        If there is not enough memory.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise UnsupportedFormatError(f"{error.filename or path} does not exist; check the path.") from error
    except IsADirectoryError as error:
        raise UnsupportedFormatError(f"{path} is a folder; give one image file.") from error
    except PermissionError as error:
        raise UnsupportedFormatError(f"{path} cannot be read (no permission).") from error
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise DamagedFileError(damaged(path)) from error
    except MemoryError as error:
        raise ResourceError(f"There is not enough memory to read {path}; close other programs.") from error
    except OSError as error:
        raise DamagedFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def damaged(path: str | os.PathLike[str], detail: str = "it ends early or its data are corrupt") -> str:
    """Return the sentence for a damaged file."""
    return f"{path} is damaged ({detail}); copy or download it again."


def gone(path: str | os.PathLike[str]) -> str:
    """Return the sentence for a file that was there when it was opened."""
    return f"{path} is no longer there; put it back and open it again."
