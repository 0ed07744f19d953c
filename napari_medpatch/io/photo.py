"""Photographs of the fundus, and any other picture that fits in memory."""

import os
from pathlib import Path

from napari_medpatch.geometry import Spacing
from napari_medpatch.io.memory import MemorySource
from napari_medpatch.io.photo_file import read_photo


class PhotoSource(MemorySource):
    """A photograph in memory: ``array`` is ``(Y, X, 3) uint8``, upright.

    16-bit and float values are scaled by the rule of :mod:`napari_medpatch.io.pixels`; grey becomes RGB;
    palettes, CMYK and transparency are resolved; the EXIF orientation is applied. ``spacing`` is None unless
    the file is an OME-TIFF that gives it: resolution tags of photographs are about paper.

    Parameters
    ----------
    path : path-like
        PNG, JPEG, TIFF or BMP, told by its first bytes.

    Raises
    ------
    UnsupportedFormatError
        If it is no photograph, a stack, or too large to decode at once.
    DamagedFileError
        If it is truncated or corrupt.

    Examples
    --------
    >>> source = PhotoSource("fundus.jpg")  # doctest: +SKIP
    >>> source.fov_mask().mean()  # doctest: +SKIP
    0.71
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        file = Path(path)
        photo = read_photo(file)
        spacing = _ome_spacing(file) if photo.format == "TIFF" else None
        super().__init__(file, "photo", photo.pixels, format=photo.format, spacing=spacing, metadata=photo.facts)


def _ome_spacing(path: Path) -> Spacing | None:
    """Return the pixel size of an OME-TIFF, None of other TIFFs."""
    from napari_medpatch.io.ome import read_ome_geometry

    geometry = read_ome_geometry(path)
    if geometry is None or geometry.pixel_size is None:
        return None
    factor = 1000.0 if geometry.unit == "mm" else 1.0
    return Spacing(tuple(v * factor for v in geometry.pixel_size[-2:]), "um", "OME-XML")
