"""Coarse levels of a slide that stores none: computed once, block by block, and kept whole in memory."""

import threading
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.io.pyramid import PlannedLevel, halve
from napari_medpatch.io.tile_cache import Tile

BLOCK = 256
"""Side of a block in pixels of the finest kept level; a power of two, so that halves of blocks are whole pixels."""

# The finest kept level has no more pixels than this: 100 MB.
_KEPT_PIXELS = 1 << 25
# Levels up to this size are background from the start; larger ones would take too long to paint.
_PREFILLED_PIXELS = 1 << 22
# A block is computed in bands of this many stored pixels.
_BAND_PIXELS = 1 << 22

ReadStored = Callable[[int, Box], Tile]


class FlatOverview:
    """Synthetic levels below the last stored one, from the first that is small enough to keep.

    Parameters
    ----------
    plan : tuple of PlannedLevel
        All levels of the slide.
    read : callable
        Reads a box of a stored level.
    background : tuple of int
        Shown where nothing is computed yet.
    """

    def __init__(self, plan: tuple[PlannedLevel, ...], read: ReadStored, background: tuple[int, int, int]) -> None:
        self._stored = max(index for index, planned in enumerate(plan) if planned.stored is not None)
        self.first = first_kept(plan)
        self._read = read
        self._shape = plan[self._stored].level.shape
        self._background = background
        self._shapes = [planned.level.shape for planned in plan[self.first :]]
        self._levels: list[Tile] = []
        rows, columns = (-(-n // BLOCK) for n in self._shapes[0])
        self._done = np.zeros((rows, columns), dtype=bool)
        self._lock = threading.Lock()

    @property
    def is_done(self) -> bool:
        """Whether every block has been computed."""
        return bool(self._done.all())

    def fill(self) -> Iterator[tuple[int, int]]:
        """Compute what is missing; yields how many blocks there are and are to be, after each."""
        for row, column in product(*(range(n) for n in self._done.shape)):
            if not self._done[row, column]:
                self._compute(row, column)
                yield int(self._done.sum()), self._done.size

    def read(self, level: int, box: Box, *, wait: bool) -> Tile:
        """Return a box that lies inside a kept level.

        Parameters
        ----------
        level : int
            At least :attr:`first`.
        box : Box
            In its pixels, not beyond its edge.
        wait : bool
            Whether to compute what is missing; background otherwise.
        """
        missing = [] if self.is_done else self._missing(level, box)
        for row, column in missing if wait else ():
            self._compute(row, column)
        pixels = self._pixels()[level - self.first][box.slices]
        if wait or not missing:
            return pixels
        pixels = pixels.copy()
        for row, column in missing:
            hole = self._block(row, column, level).shift([-a for a in box.start]).clip(box.shape)
            pixels[hole.slices] = self._background
        return pixels

    def live(self, level: int) -> Tile:
        """Return the array of a kept level, which goes on filling; small levels are background until then."""
        return self._pixels()[level - self.first]

    def _empty(self, shape: tuple[int, ...]) -> Tile:
        """Return an array for a level. Zeros cost nothing until they are written."""
        if shape[0] * shape[1] > _PREFILLED_PIXELS:
            return np.zeros((*shape, 3), dtype=np.uint8)
        return np.full((*shape, 3), self._background, dtype=np.uint8)

    def _missing(self, level: int, box: Box) -> list[tuple[int, int]]:
        """Return the blocks under a box of a kept level that are not computed yet."""
        side = max(1, BLOCK >> (level - self.first))
        rows, columns = (range(a // side, -(-b // side)) for a, b in zip(box.start, box.stop, strict=True))
        return [(row, column) for row, column in product(rows, columns) if not self._done[row, column]]

    def _block(self, row: int, column: int, level: int) -> Box:
        """Return where a block lies on a kept level."""
        side = max(1, BLOCK >> (level - self.first))
        return Box((row * side, column * side), ((row + 1) * side, (column + 1) * side))

    def _pixels(self) -> list[Tile]:
        with self._lock:
            if not self._levels:
                self._levels = [self._empty(shape) for shape in self._shapes]
            return self._levels

    def _compute(self, row: int, column: int) -> None:
        """Make a block and its halves; two threads may do so at once, with the same result."""
        pixels = self._averaged(self._block(row, column, self.first).clip(self._shapes[0]))
        for index, level in enumerate(self._pixels()):
            top, left = self._block(row, column, self.first + index).start
            level[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
            pixels = halve(pixels)
        self._done[row, column] = True

    def _averaged(self, block: Box) -> Tile:
        """Average the stored pixels of a block, in bands."""
        steps = self.first - self._stored
        region = Box(tuple(a << steps for a in block.start), tuple(b << steps for b in block.stop)).clip(self._shape)
        height = max(1, _BAND_PIXELS // max(1, region.shape[1]) >> steps) << steps
        bands: list[npt.NDArray[np.uint8]] = []
        for top in range(region.start[0], region.stop[0], height):
            band = Box((top, region.start[1]), (min(top + height, region.stop[0]), region.stop[1]))
            pixels = self._read(self._stored, band)
            for _ in range(steps):
                pixels = halve(pixels)
            bands.append(pixels)
        return np.concatenate(bands)


def first_kept(plan: tuple[PlannedLevel, ...]) -> int:
    """Return the index of the finest level that :class:`FlatOverview` keeps; one past the last if all are too large."""
    for index, planned in enumerate(plan):
        height, width = planned.level.shape
        if planned.stored is None and all(p.stored is None for p in plan[index:]) and height * width <= _KEPT_PIXELS:
            return index
    return len(plan)
