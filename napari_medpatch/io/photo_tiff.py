"""Photographs in TIFF: 8- and 16-bit, floats and packed bits through tifffile, odd colour models through Pillow."""

import struct
from pathlib import Path
from typing import Any

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.photo_file import Photo, check_size, read_with_pillow, upright
from napari_medpatch.io.pixels import to_rgb
from napari_medpatch.io.reading import damaged, reading
from napari_medpatch.io.source import AnyArray

TIFF_ERRORS = (ValueError, RuntimeError, IndexError, KeyError, TypeError, struct.error)
_PLAIN_COLOURS = {"MINISBLACK", "MINISWHITE", "RGB", "YCBCR"}


def read_tiff_photo(path: Path) -> Photo:
    """Decode the first image of a TIFF.

    Raises
    ------
    UnsupportedFormatError
        If it is a stack of channels or slices, or too large.
    DamagedFileError
        If it is truncated or corrupt.
    """
    import tifffile

    try:
        with reading(path), tifffile.TiffFile(path) as tiff:
            if not len(tiff.pages):
                raise DamagedFileError(damaged(path))
            page = tiff.pages.first
            check_size(page.imagelength, page.imagewidth, path)
            notes = _check_stack(tiff, path)
            if page.photometric is not None and page.photometric.name not in _PLAIN_COLOURS:
                return read_with_pillow(path, "TIFF")
            return _decode(page, path, notes)
    except (tifffile.TiffFileError, *TIFF_ERRORS):
        # Old-style JPEG and subsampled colour without JPEG are read by libtiff only.
        return read_with_pillow(path, "TIFF")


def _decode(page: Any, path: Path, notes: list[str]) -> Photo:
    array = _channels_last(page)
    sample_bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    bits = sample_bits if array.dtype.kind == "u" and sample_bits != 16 else None
    tag = page.tags.get(274)
    code = int(tag.value) if tag is not None else 1
    pixels = to_rgb(upright(array, code), str(path), bits)
    if page.photometric is not None and page.photometric.name == "MINISWHITE":
        pixels = 255 - pixels
    stored = f"{sample_bits}-bit {page.photometric.name.lower() if page.photometric is not None else 'grey'}"
    return Photo(pixels, "TIFF", {"stored": stored, "exif_orientation": code, "notes": notes})


def _channels_last(page: Any) -> AnyArray:
    """Return a page as ``(Y, X)`` or ``(Y, X, S)``."""
    array: AnyArray = page.asarray()
    if page.axes.endswith("S"):
        return array
    return array.transpose(1, 2, 0) if page.axes == "SYX" else array


def _check_stack(tiff: Any, path: Path) -> list[str]:
    """Refuse OME stacks; note further pages of other TIFFs."""
    series = tiff.series[0] if tiff.series else None
    if tiff.is_ome and series is not None and any(axis not in "YXS" for axis in series.axes):
        size = " × ".join(f"{axis} {n}" for axis, n in zip(series.axes, series.shape, strict=True))
        raise UnsupportedFormatError(f"{path} is a stack ({size}), not a photograph; save one RGB image.")
    more = [page for page in tiff.pages[1:] if page.shape[:2] == tiff.pages.first.shape[:2]]
    return [f"The file holds {1 + len(more)} images of this size; the first is shown."] if more else []
