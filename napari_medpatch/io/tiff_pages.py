"""Decode the tiles or strips of one TIFF page straight from the file."""

import os
import struct
import threading
import weakref
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.reading import gone, reading
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.tiff_colour import ToRGB, colour_reader
from napari_medpatch.io.tile_cache import Tile

DECODE_ERRORS = (RuntimeError, ValueError, IndexError, KeyError, TypeError, EOFError, OSError, zlib.error, struct.error)
"""What tifffile and imagecodecs raise at corrupt data."""

_SMALL_TILE = 256
_BLOCK_PIXELS = 1 << 20
_LARGEST_SEGMENT = 1 << 29


class FileBytes:
    """A file read at given positions from many threads.

    Parameters
    ----------
    path : Path
        The file; stays open until :meth:`close`, or until nobody uses this object any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path):
            self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()
        # A layer that is removed from a viewer lets go of its slide without closing it.
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def read(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes; raises EOFError if the file ends before."""
        if hasattr(os, "pread"):
            data = os.pread(self._descriptor, count, offset)
        else:
            with self._lock:
                os.lseek(self._descriptor, offset, os.SEEK_SET)
                data = os.read(self._descriptor, count)
        if len(data) != count:
            raise EOFError(f"the file ends at byte {offset + len(data)}, {offset + count} are needed")
        return data

    def close(self) -> None:
        """Release the file; may be called again."""
        self._close()


class PageTiles:
    """Tiles of a page as RGB, thread-safe.

    Small tiles are grouped to at least 256 pixels a side and strips to about a megapixel, which is the
    piece that is cached. Strips of uncompressed data are read row by row, however they are cut.

    Parameters
    ----------
    page : tifffile.TiffPage
        Its tags are read now; its TiffFile may be closed afterwards.
    stream : FileBytes
        Its file, shared by all its pages and closed by its owner.
    bits : int, optional
        Bits that the values really use, see :func:`~napari_medpatch.io.tiff_colour.colour_reader`.

    Raises
    ------
    UnsupportedFormatError
        If its pixels are of a kind that is not read, or one strip is too large to decode.
    """

    def __init__(self, page: Any, stream: FileBytes, bits: int | None = None) -> None:
        self._file, self._path = stream, stream.path
        self._colour: ToRGB = colour_reader(page, stream.path, bits)
        self.shape = (int(page.imagelength), int(page.imagewidth))
        self._is_jpeg = int(page.compression) == 7
        self._planes = page.samplesperpixel if page.planarconfig == 2 else 1
        self._samples = page.samplesperpixel
        self._rows_only = bool(page.is_contiguous) and not page.is_tiled and self._planes == 1
        self._dtype = np.dtype(page.parent.byteorder + page.dtype.char)
        self._segment = _segment_shape(page)
        self._grid = tuple(-(-n // s) for n, s in zip(self.shape, self._segment, strict=True))
        self._group = self._grouping()
        self.tile_shape = (self._segment[0] * self._group[0], self._segment[1] * self._group[1])
        self._offsets, self._counts = tuple(page.dataoffsets), tuple(page.databytecounts)
        self._tables, self._header = page.jpegtables, page.jpegheader
        self._decode = page.decode
        self._refuse_huge_segments()

    @property
    def is_sparse(self) -> bool:
        """Whether the file stores nothing for some tiles."""
        return 0 in self._counts

    def tile_at(self, row: int, column: int, fill: tuple[int, int, int]) -> Tile:
        """Decode a tile, filled with a colour where the file stores nothing."""
        pixels = self.tile(row, column)
        if pixels is not None:
            return pixels
        height, width = self._cropped(row, column)
        return np.full((height, width, 3), fill, dtype=np.uint8)

    def tile(self, row: int, column: int) -> Tile | None:
        """Decode a tile.

        Returns
        -------
        ndarray or None
            ``(y, x, 3) uint8``, cropped at the page's edge; None if some of it is not stored (sparse file).

        Raises
        ------
        DamagedFileError
            If the data are corrupt; names the file and the place.
        """
        raw = self.raw(row, column)
        return None if raw is None else self._colour(raw)

    def raw(self, row: int, column: int) -> AnyArray | None:
        """Decode a tile to ``(y, x, samples)`` as stored; None if some of it is not stored."""
        height, width = self._cropped(row, column)
        top, left = row * self.tile_shape[0], column * self.tile_shape[1]
        try:
            if self._rows_only:
                return self._rows(top, height)
            return self._grouped(top, left, height, width)
        except DECODE_ERRORS as error:
            if not self._path.exists():
                raise DamagedFileError(gone(self._path)) from error
            place = f"rows {top}–{top + height - 1}, columns {left}–{left + width - 1}"
            size = f"{self.shape[0]} × {self.shape[1]}"
            raise DamagedFileError(
                f"{self._path} is damaged in its {size} image at {place} ({error}); copy it again."
            ) from error

    def _cropped(self, row: int, column: int) -> tuple[int, int]:
        height, width = (min(t, n - i * t) for t, n, i in zip(self.tile_shape, self.shape, (row, column), strict=True))
        return height, width

    def _grouping(self) -> tuple[int, int]:
        rows, columns = self._segment
        if columns >= self.shape[1] and columns > _SMALL_TILE:
            wanted = max(1, _BLOCK_PIXELS // (rows * columns))
            return min(wanted, self._grid[0]), 1
        return tuple(min(-(-_SMALL_TILE // s), g) for s, g in zip(self._segment, self._grid, strict=True))  # type: ignore[return-value]

    def _rows(self, top: int, height: int) -> AnyArray:
        """Read rows of uncompressed, contiguous data."""
        count = height * self.shape[1] * self._samples
        start = self._offsets[0] + top * self.shape[1] * self._samples * self._dtype.itemsize
        data = self._file.read(start, count * self._dtype.itemsize)
        values = np.frombuffer(data, dtype=self._dtype).astype(self._dtype.newbyteorder("="), copy=False)
        return values.reshape(height, self.shape[1], self._samples)

    def _grouped(self, top: int, left: int, height: int, width: int) -> AnyArray | None:
        """Decode all segments under a block and put them together."""
        out: AnyArray | None = None
        for y in range(top, top + height, self._segment[0]):
            for x in range(left, left + width, self._segment[1]):
                part = self._decoded(y // self._segment[0], x // self._segment[1])
                if part is None:
                    return None
                if part.shape[:2] == (height, width):
                    return part
                if out is None:
                    out = np.zeros((height, width, part.shape[2]), dtype=part.dtype)
                target = out[y - top : y - top + part.shape[0], x - left : x - left + part.shape[1]]
                target[...] = part[: target.shape[0], : target.shape[1]]
        return out

    def _decoded(self, row: int, column: int) -> AnyArray | None:
        """Decode a segment of every plane and crop it at the page's edge."""
        planes = []
        for plane in range(self._planes):
            index = (plane * self._grid[0] + row) * self._grid[1] + column
            if self._counts[index] == 0:
                return None
            data = self._file.read(self._offsets[index], self._counts[index])
            if self._is_jpeg and not _has_jpeg_end(data):
                raise EOFError("its JPEG data end early")
            pixels, _, _ = self._decode(data, index, jpegtables=self._tables, jpegheader=self._header)
            planes.append(pixels[0])
        whole = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)
        height, width = (n - i * s for n, i, s in zip(self.shape, (row, column), self._segment, strict=True))
        cropped: AnyArray = whole[:height, :width]
        return cropped

    def _refuse_huge_segments(self) -> None:
        if self._rows_only:
            return
        size = self._segment[0] * self._segment[1] * self._samples * self._dtype.itemsize
        if size > _LARGEST_SEGMENT:
            raise UnsupportedFormatError(
                f"{self._path} is compressed in pieces of {size / 1e9:.1f} GB, which cannot be read in parts; "
                "save it as a tiled TIFF."
            )


def _has_jpeg_end(data: bytes) -> bool:
    """Return whether JPEG data are complete: the decoder fills what is missing with grey and does not say so."""
    return data.endswith(b"\xff\xd9") or data.rstrip(b"\0").endswith(b"\xff\xd9")


def _segment_shape(page: Any) -> tuple[int, int]:
    """Return the size of what is compressed as one piece; for plain rows a comfortable number of them."""
    height, width = int(page.imagelength), int(page.imagewidth)
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    if page.is_contiguous and page.planarconfig != 2:
        return min(height, max(1, _BLOCK_PIXELS // width)), width
    return min(height, int(page.rowsperstrip)), width
