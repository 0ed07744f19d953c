"""Cut a working grid into blocks whose results equal those of one pass over the whole.

A block is a *core*, whose result is kept, inside a *padded* box, which the network sees. The margin is
the network's reach (:class:`napari_medpatch.models.unet.UNetConfig`), and padded boxes begin on the
pooling grid, so that every core voxel sees what it would see in one pass. Few big cores waste least:
cuts are spread over the axes so that the network sees as few voxels as the block size allows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box

_MOST_CUTS = 400


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a working grid may be cut.

    Parameters
    ----------
    shape : tuple of int
        Of the working grid.
    reach : tuple of int
        How far a result looks to each side, per axis; 0 along an axis of independent slices.
    multiple : tuple of int
        Padded boxes begin and end on multiples of this.
    """

    shape: tuple[int, ...]
    reach: tuple[int, ...]
    multiple: tuple[int, ...]

    kind = "exact"

    @property
    def canvas(self) -> tuple[int, ...]:
        """Shape rounded up to multiples; the network sees nothing beyond it."""
        return tuple(_up(n, m) for n, m in zip(self.shape, self.multiple, strict=True))

    def padded(self, box: Box) -> Box:
        """Return what the network must see to be exact on ``box``."""
        grown = box.grow(self.reach)
        start = tuple(max(0, a // m * m) for a, m in zip(grown.start, self.multiple, strict=True))
        stop = tuple(min(n, _up(b, m)) for b, n, m in zip(grown.stop, self.canvas, self.multiple, strict=True))
        return Box(start, stop)

    def cores(self, voxels: int) -> list[Box]:
        """Return cores that tile the grid, in array order, padded to at most ``voxels`` where that is possible.

        Parameters
        ----------
        voxels : int
            Wanted limit of a padded block. Where even the smallest blocks exceed it, those are returned.
        """
        edges = self._edges(voxels)
        counts = [math.ceil(n / e) for n, e in zip(self.shape, edges, strict=True)]
        return [
            Box(
                tuple(i * e for i, e in zip(index, edges, strict=True)),
                tuple(min((i + 1) * e, n) for i, e, n in zip(index, edges, self.shape, strict=True)),
            )
            for index in np.ndindex(*counts)
        ]

    def _edges(self, voxels: int) -> list[int]:
        """Return the core's edges that make the network see the fewest voxels in all."""
        choices = [self._choices(axis) for axis in range(len(self.shape))]
        largest = _outer([largest for _, largest, _ in choices])
        total = _outer([total for _, _, total in choices])
        fits = largest <= voxels
        best = np.where(fits, total, np.inf) if fits.any() else largest
        index = np.unravel_index(int(np.argmin(best)), best.shape)
        return [int(edges[i]) for (edges, _, _), i in zip(choices, index, strict=True)]

    def _choices(self, axis: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Return core edges along an axis, with the largest padded edge and the sum of padded edges."""
        length, reach, multiple = self.shape[axis], self.reach[axis], self.multiple[axis]
        limit = self.canvas[axis]
        edges = sorted(
            {_up(math.ceil(length / n), multiple) for n in range(1, min(length, _MOST_CUTS) + 1)}, reverse=True
        )
        largest, total = [], []
        for edge in edges:
            padded = [
                min(limit, _up(min(a + edge, length) + reach, multiple)) - max(0, (a - reach) // multiple * multiple)
                for a in range(0, length, edge)
            ]
            largest.append(max(padded))
            total.append(sum(padded))
        return np.array(edges), np.array(largest, float), np.array(total, float)


def halves(core: Box, multiple: Sequence[int]) -> list[Box]:
    """Split a core across its longest axis, on the pooling grid; empty if it cannot be split."""
    lengths = [n / m for n, m in zip(core.shape, multiple, strict=True)]
    axis = int(np.argmax(lengths))
    if lengths[axis] <= 1:
        return []
    middle = core.start[axis] + _up(math.ceil(core.shape[axis] / 2), multiple[axis])
    first, second = list(core.stop), list(core.start)
    first[axis] = second[axis] = middle
    return [Box(core.start, tuple(first)), Box(tuple(second), core.stop)]


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _outer(edges: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return all products of one value per axis."""
    result = np.ones(())
    for values in edges:
        result = result[..., None] * values
    return np.asarray(result)
