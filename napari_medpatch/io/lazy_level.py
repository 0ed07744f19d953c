"""A level of a slide that looks like an array: pixels are read when it is indexed."""

import math
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_medpatch.io.source import AnyArray, Source

    Read: TypeAlias = Callable[[int, Box], AnyArray]

Index: TypeAlias = SupportsIndex | slice | EllipsisType
_CHUNK = 512
_BAND_PIXELS = 1 << 24


class LazyLevel:
    """The array that napari is given for one level of a slide or photograph.

    It follows NumPy's basic indexing: integers (NumPy's too), slices with any bounds and steps, ``...`` and
    fewer indices than axes. A slice that lies partly or wholly outside is clipped, never refused. What
    comes back is a C-contiguous NumPy array (a scalar when every axis is an integer).

    Parameters
    ----------
    source : Source
        A slide or photograph, ``(Y, X, 3) uint8``.
    level : int
        Index into ``source.levels``.
    peek : bool
        Whether indexing may give background where pixels are damaged or not computed yet, as a viewer wants it
        (see :meth:`napari_medpatch.io.tiled_source.TiledSource.peek`).

    Notes
    -----
    ``chunks`` makes napari (0.9 and later) align what it loads with the tiles, so that small pans read
    nothing. Tiles are cached by the source, not here.
    """

    ndim = 3

    def __init__(self, source: "Source", level: int, *, peek: bool = False) -> None:
        height, width = source.levels[level].shape
        self._source, self._level = source, level
        self._how = "peek" if peek and hasattr(source, "peek") else "read"
        self.shape = (height, width, 3)
        tile_shape = getattr(source, "tile_shape", None)
        tile = tile_shape(level) if tile_shape else (min(height, _CHUNK), min(width, _CHUNK))
        self.chunks = (*tile, 3)

    @property
    def source(self) -> "Source":
        """Where the pixels come from."""
        return self._source

    @property
    def level(self) -> int:
        """Index of the level in its source."""
        return self._level

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self._source.dtype

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the whole level would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"LazyLevel({self._source.path.name!r}, level={self._level}, shape={self.shape})"

    def __getitem__(self, key: Index | tuple[Index, ...]) -> Any:
        """Read the pixels under a basic index.

        Raises
        ------
        IndexError
            If an integer is out of range or there are more indices than axes, as NumPy does.
        TypeError
            If an index is neither an integer, a slice nor ``...``.
        """
        return self._taken(key, getattr(self._source, self._how))

    def _taken(self, key: Index | tuple[Index, ...], read: "Read") -> Any:
        axes = [_Axis.of(index, length) for index, length in zip(_three(key), self.shape, strict=True)]
        rows, columns, channels = axes
        pixels = self._pixels(rows, columns, read)[:, :, channels.start : channels.stop : channels.step]
        result = pixels[tuple(axis.final for axis in axes)]
        return np.ascontiguousarray(result) if result.ndim else result

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> "AnyArray":
        """Read the whole level.

        Raises
        ------
        ValueError
            If ``copy`` is False: the pixels are not in memory, so there is nothing to share.
        """
        if copy is False:
            raise ValueError("The pixels of a slide are not in memory, so they cannot be given without a copy.")
        whole = getattr(self._source, "peek_whole", None) if self._how == "peek" else None
        pixels: AnyArray = self[...] if whole is None else whole(self._level)
        return pixels if dtype is None else pixels.astype(dtype, copy=False)

    def _pixels(self, rows: "_Axis", columns: "_Axis", read: "Read") -> "AnyArray":
        """Return ``(y, x, 3)`` pixels in rising order; stepped rows are read in bands to bound the memory."""

        def band(start: int, stop: int) -> "AnyArray":
            return read(self._level, Box((start, columns.start), (stop, columns.stop)))[:: rows.step, :: columns.step]

        width = max(1, columns.stop - columns.start)
        if rows.step == 1 or (rows.stop - rows.start) * width <= _BAND_PIXELS:
            return band(rows.start, rows.stop)
        height = max(1, _BAND_PIXELS // (width * rows.step)) * rows.step
        starts = range(rows.start, rows.stop, height)
        return np.concatenate([band(start, min(start + height, rows.stop)) for start in starts])


@dataclass(frozen=True, slots=True)
class _Axis:
    """One index: the pixels ``start:stop:step`` in rising order, then turned round or taken out of its axis."""

    start: int
    stop: int
    step: int = 1
    reverse: bool = False
    single: bool = False

    @classmethod
    def of(cls, index: Index, length: int) -> "_Axis":
        if isinstance(index, slice):
            taken = range(*index.indices(length))
            rising = taken if taken.step > 0 else taken[::-1]
            return cls(rising[0], rising[-1] + 1, rising.step, taken.step < 0) if rising else cls(0, 0)
        if not isinstance(index, SupportsIndex):
            raise TypeError(f"A slide takes integers, slices and '...' as index, not {index!r}.")
        position = index.__index__()
        if not -length <= position < length:
            raise IndexError(f"index {position} is out of bounds for an axis of {length} pixels")
        return cls(position % length, position % length + 1, single=True)

    @property
    def final(self) -> int | slice:
        """What to take from the pixels that were read."""
        return 0 if self.single else slice(None, None, -1 if self.reverse else 1)


def _three(key: Index | tuple[Index, ...]) -> tuple[Index, Index, Index]:
    """Return one index per axis: ``...`` and missing ones are filled in."""
    given = key if isinstance(key, tuple) else (key,)
    dots = [i for i, index in enumerate(given) if index is Ellipsis]
    if len(given) - len(dots) > 3 or len(dots) > 1:
        raise IndexError(f"a slide has 3 axes, {len(given)} indices were given")
    at = dots[0] if dots else len(given)
    missing: tuple[Index, ...] = (slice(None),) * (3 - len(given) + len(dots))
    full = (*given[:at], *missing, *given[at + len(dots) :])
    return full[0], full[1], full[2]
