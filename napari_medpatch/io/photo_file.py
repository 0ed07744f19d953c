"""Decode PNG, JPEG, TIFF and BMP photographs, told by their first bytes, to upright 8-bit RGB."""

import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import DamagedFileError, MedPatchError, UnsupportedFormatError
from napari_medpatch.io.pixels import Pixels, to_rgb
from napari_medpatch.io.reading import damaged, reading
from napari_medpatch.io.signature import is_gzipped, read_head, signature
from napari_medpatch.io.source import AnyArray

MAX_PIXELS = 178_956_970
"""Largest photograph that is decoded at once (Pillow's own limit): 0.5 GB as RGB."""

_FORMATS = {"png": "PNG", "jpeg": "JPEG", "tiff": "TIFF", "bmp": "BMP"}
_ORIENTATION = 274
_PILLOW_STATE = threading.Lock()


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photograph.

    Parameters
    ----------
    pixels : ndarray
        ``(Y, X, 3) uint8``, upright, C-contiguous.
    format : str
        ``"PNG"``, ``"JPEG"``, ``"TIFF"`` or ``"BMP"``.
    facts : dict
        What the file stored: ``stored`` (type of pixels), ``exif_orientation``, ``notes``.
    """

    pixels: Pixels
    format: str
    facts: dict[str, Any]


def photo_format(path: Path) -> str:
    """Return the format that a file's first bytes say.

    Raises
    ------
    UnsupportedFormatError
        If it is none of PNG, JPEG, TIFF and BMP, or cannot be opened.
    DamagedFileError
        If it is empty.
    """
    found = _FORMATS.get(signature(read_head(path)))
    if found is not None and not is_gzipped(path):
        return found
    raise UnsupportedFormatError(f"{path} is not a PNG, JPEG, TIFF or BMP photograph.")


def read_photo(path: Path) -> Photo:
    """Decode a photograph.

    Parameters
    ----------
    path : Path
        The file. 16-bit values are scaled by the rule of :mod:`napari_medpatch.io.pixels`.

    Raises
    ------
    UnsupportedFormatError
        If it is no photograph or too large to decode at once.
    DamagedFileError
        If it is truncated or corrupt.
    """
    name = photo_format(path)
    if name == "TIFF":
        from napari_medpatch.io.photo_tiff import read_tiff_photo

        return read_tiff_photo(path)
    if name == "PNG" and _png_depth(path) == 16:
        return _read_png16(path)
    return read_with_pillow(path, name)


def read_with_pillow(path: Path, name: str) -> Photo:
    """Decode with Pillow: everything but 16-bit colour."""
    with pillow_image(path) as image:
        mode = image.mode
        array = _pillow_array(image)
        # TIFF is turned upright on loading by some versions of Pillow, which then drop the tag.
        code = int(image.getexif().get(_ORIENTATION, 1))
    pixels = to_rgb(upright(array, code), str(path))
    return Photo(pixels, name, {"stored": mode, "exif_orientation": code, "notes": []})


@contextmanager
def pillow_image(path: Path) -> Iterator[Any]:
    """Open a file with Pillow, its errors as ours.

    Yields
    ------
    PIL.Image.Image
        Loaded completely.

    Raises
    ------
    DamagedFileError
        If it is truncated or corrupt.
    UnsupportedFormatError
        If it has too many pixels.
    """
    from PIL import Image

    # Pillow warns of big and of slightly broken files; the first are checked here, the second are read.
    with _PILLOW_STATE, warnings.catch_warnings(), reading(path):
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=("PNG", "JPEG", "TIFF", "BMP")) as image:
                check_size(image.height, image.width, path)
                image.load()
                yield image
        except Image.DecompressionBombError as error:
            raise UnsupportedFormatError(f"{path} has too many pixels for a photograph.") from error
        except (OSError, SyntaxError, ValueError, struct.error) as error:
            if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
                raise
            raise DamagedFileError(damaged(path)) from error


def check_size(height: int, width: int, path: Path) -> None:
    """Refuse images that would fill the memory.

    Raises
    ------
    UnsupportedFormatError
        If there are more than :data:`MAX_PIXELS` pixels.
    """
    if height * width > MAX_PIXELS:
        raise UnsupportedFormatError(
            f"{path} has {width} × {height} pixels, too many to open as a photograph; "
            "convert it to a tiled pyramidal TIFF and open it as a slide."
        )


def upright(array: AnyArray, code: int) -> AnyArray:
    """Turn ``(Y, X, …)`` pixels upright by their EXIF orientation, 1 to 8; other codes change nothing."""
    if code in (5, 7):
        array = array.swapaxes(0, 1)
    turns = {3: 2, 6: -1, 7: 2, 8: 1}.get(code, 0)
    array = np.rot90(array, turns) if turns else array
    if code == 2:
        return array[:, ::-1]
    return array[::-1] if code == 4 else array


def _pillow_array(image: Any) -> AnyArray:
    """Return grey, grey + alpha, RGB or RGB + alpha pixels of a loaded Pillow image."""
    if image.mode in ("L", "RGB", "LA", "RGBA") and "transparency" not in image.info:
        return np.asarray(image)
    if image.mode.startswith("I") or image.mode == "F":
        return np.asarray(image)
    clear = image.mode in ("PA", "RGBa", "La") or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if clear else "RGB"))


def _png_depth(path: Path) -> int:
    """Return the bits per channel in a PNG's header."""
    with reading(path), path.open("rb") as stream:
        header = stream.read(26)
    if len(header) < 26:
        raise DamagedFileError(damaged(path))
    width, height = struct.unpack(">II", header[16:24])
    check_size(height, width, path)
    return header[24]


def _read_png16(path: Path) -> Photo:
    """Decode a 16-bit PNG; Pillow would cut colour to 8 bits by dropping the lower byte."""
    import imagecodecs

    with reading(path):
        block = path.read_bytes()
    try:
        array = imagecodecs.png_decode(block)
    except (RuntimeError, ValueError) as error:
        raise DamagedFileError(damaged(path)) from error
    code = _png_orientation(path)
    pixels = to_rgb(upright(array, code), str(path))
    return Photo(pixels, "PNG", {"stored": f"{array.dtype}", "exif_orientation": code, "notes": []})


def _png_orientation(path: Path) -> int:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as image:
            return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, ValueError, MedPatchError):
        return 1
