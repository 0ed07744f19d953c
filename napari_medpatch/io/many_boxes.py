"""Read many boxes of one size at once, each tile asked for once and pasted straight to its places."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.io.tile_cache import Tile
from napari_medpatch.io.tile_pieces import paste, tile_positions


@runtime_checkable
class ReadsMany(Protocol):
    """A source that can fill patches tile by tile."""

    def read_into(self, level: int, starts: npt.NDArray[np.int64], out: Tile) -> None:
        """Fill patches in the calling thread.

        Parameters
        ----------
        level : int
            Which level.
        starts : ndarray
            ``(N, 2) int64``, first pixel of each patch in the level, ``(y, x)``.
        out : ndarray
            ``(N, Y, X, 3) uint8``; what lies outside the level is left as it is.
        """


def fill_patches(
    out: Tile,
    starts: Sequence[tuple[int, int]],
    level_shape: tuple[int, ...],
    tile_shape: tuple[int, int],
    tile: Callable[[int, int], Tile],
) -> None:
    """Fill ``out`` from tiles; see :meth:`ReadsMany.read_into`.

    Parameters
    ----------
    out : ndarray
        ``(N, Y, X, 3) uint8``.
    starts : sequence of (y, x)
        Of the patches.
    level_shape, tile_shape : tuple of int
        ``(Y, X)`` of the level and of a tile.
    tile : callable
        Decodes the tile of a row and column.
    """
    height, width = out.shape[1:3]
    insides = [Box((y, x), (y + height, x + width)).clip(level_shape) for y, x in starts]
    wanted: dict[tuple[int, int], list[int]] = {}
    for number, inside in enumerate(insides):
        for position in tile_positions(inside, tile_shape):
            wanted.setdefault(position, []).append(number)
    for position in sorted(wanted):
        pixels = tile(*position)
        for number in wanted[position]:
            paste(out[number], starts[number], insides[number], pixels, tile_shape, position)
