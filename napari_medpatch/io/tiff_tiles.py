"""Slides in TIFF files that OpenSlide refuses: OME-TIFF, strips, deflate, LZW, grey, 16 bits, alpha."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.geometry import Spacing
from napari_medpatch.io.pixel_size import PixelSize, user_spacing
from napari_medpatch.io.pixels import significant_bits
from napari_medpatch.io.pyramid import StoredLevel, level_downsamples
from napari_medpatch.io.tiff_file import open_tiff
from napari_medpatch.io.tiff_levels import TiffPicture, find_picture, orientation
from napari_medpatch.io.tiff_pages import FileBytes, PageTiles
from napari_medpatch.io.tiff_spacing import tiff_pixel_size
from napari_medpatch.io.tile_cache import Tile, TileCache
from napari_medpatch.io.tile_reader import probe
from napari_medpatch.io.tiled_source import TiledSource

_WHITE = (255, 255, 255)
_PROBED_TILES = 16


class TiffSource(TiledSource):
    """A TIFF read tile by tile (or strip by strip) with tifffile and imagecodecs.

    The orientation tag is not applied, on any level; a note in the metadata says so. (OpenSlide turns every
    tile by itself and mixes the picture up, so such files come here.)

    Parameters
    ----------
    path : path-like
        TIFF, BigTIFF or OME-TIFF, with or without a pyramid.
    mpp : float or (float, float), optional
        µm per pixel, two values are ``(y, x)``; overrides what the file says.
    cache : TileCache, optional
        The shared one by default.

    Raises
    ------
    UnsupportedFormatError
        If its pixels are not read, or it holds a stack or channels.
    DamagedFileError
        If it is truncated or corrupt.
    """

    def __init__(
        self, path: str | Path, mpp: float | Sequence[float] | None = None, cache: TileCache | None = None
    ) -> None:
        path = Path(path)
        with open_tiff(path) as tif:
            picture = find_picture(tif, path)
            size = tiff_pixel_size(tif, picture.pages[0], picture.image_index)
            name = "OME-TIFF" if tif.is_ome else "BigTIFF" if tif.is_bigtiff else "TIFF"
            reader = TiffTiles(picture, path)
        facts = _facts(picture, size, reader)
        spacing: Spacing | None = size.spacing
        if mpp is not None:
            spacing = user_spacing(mpp)
        super().__init__(path, reader, format=name, spacing=spacing, metadata=facts, cache=cache)


class TiffTiles:
    """A :class:`~napari_medpatch.io.tile_reader.TileReader` over the pages of one TIFF picture."""

    background = _WHITE

    def __init__(self, picture: TiffPicture, path: Path) -> None:
        self._stream = FileBytes(path)
        try:
            self._open(picture)
        except BaseException:
            self._stream.close()
            raise

    def _open(self, picture: TiffPicture) -> None:
        coarsest = picture.pages[-1]
        self.bits = _used_bits(coarsest, PageTiles(coarsest, self._stream))
        self._pages = [PageTiles(page, self._stream, self.bits) for page in picture.pages]
        self._beside = {name: PageTiles(page, self._stream) for name, page in picture.beside.items()}
        shapes = [page.shape for page in self._pages]
        self.levels = tuple(
            StoredLevel(shape, downsample, page.tile_shape)
            for shape, downsample, page in zip(shapes, level_downsamples(shapes), self._pages, strict=True)
        )
        probe(self)

    def tile(self, level: int, row: int, column: int) -> Tile:
        """Decode a tile."""
        return self._pages[level].tile_at(row, column, self.background)

    def associated(self) -> Mapping[str, Callable[[], Tile]]:
        """Return label, macro and the like by name."""
        return {name: _whole(page) for name, page in self._beside.items()}

    def close(self) -> None:
        """Release the file."""
        self._stream.close()


def _used_bits(page: Any, tiles: PageTiles) -> int | None:
    """Return how many bits the values of a 16-bit picture use, judged from up to 16 tiles of its smallest level."""
    if int(page.bitspersample) <= 8:
        return None
    rows, columns = (-(-n // t) for n, t in zip(tiles.shape, tiles.tile_shape, strict=True))
    step = max(1, rows * columns // _PROBED_TILES)
    samples = [tiles.raw(*divmod(index, columns)) for index in range(0, rows * columns, step)]
    highest = max((int(values.max()) for values in samples if values is not None and values.size), default=0)
    return significant_bits(highest)


def _whole(page: PageTiles) -> Callable[[], Tile]:
    def read() -> Tile:
        rows, columns = (-(-n // t) for n, t in zip(page.shape, page.tile_shape, strict=True))
        bands = [
            np.concatenate([page.tile_at(row, column, _WHITE) for column in range(columns)], axis=1)
            for row in range(rows)
        ]
        return np.concatenate(bands)

    return read


def _facts(picture: TiffPicture, size: PixelSize, reader: TiffTiles) -> dict[str, Any]:
    page = picture.pages[0]
    notes = [note for note in (picture.note,) if note]
    if reader.bits is not None and reader.bits > 8:
        notes.append(f"Values of {reader.bits} bits are shown with 8 (divided by {1 << (reader.bits - 8)}).")
    if orientation(page) != 1:
        notes.append(f"The orientation tag ({orientation(page)}) is not applied: pixels are shown as they are stored.")
    return {
        "compression": page.compression.name,
        "stored_levels": len(reader.levels),
        "spacing_note": size.note,
        "notes": notes,
    }
