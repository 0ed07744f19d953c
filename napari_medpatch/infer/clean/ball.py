"""Filters with a ball in mm, exact on any grid, and fast because a ball is a stack of lines."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.clean.work import SLAB_VOXELS, Bools, Mask, slabs

Filter = Callable[[Bools], Bools]
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Ball:
    """A ball on a grid; a voxel counts as inside if its centre is.

    Parameters
    ----------
    radius : float
        In the unit of ``voxel``.
    voxel : tuple of float
        Edges of a voxel along each axis.
    """

    radius: float
    voxel: tuple[float, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """Voxels that the ball reaches along each axis."""
        return tuple(math.floor(self.radius / edge + _TOLERANCE) for edge in self.voxel)

    def dilated(self, inside: Bools) -> Bools:
        """Return what lies within a radius of a shape."""
        result = np.zeros_like(inside)
        line, length = inside.copy(), 0
        for half, offsets in sorted(self._lines().items()):
            while length < half:
                length += 1
                line[..., length:] |= inside[..., :-length]
                line[..., :-length] |= inside[..., length:]
            for offset in offsets:
                here, there = _overlap(offset, inside.shape)
                result[there] |= line[here]
        return result

    def eroded(self, inside: Bools) -> Bools:
        """Return what lies further than a radius from all that is outside; beyond the array nothing is outside."""
        return ~self.dilated(~inside)

    def opened(self, inside: Bools) -> Bools:
        """Return all positions of a ball that fits inside."""
        return self.dilated(self.eroded(inside)) & inside

    def closed(self, inside: Bools) -> Bools:
        """Return all that no ball beside the shape covers; beyond the array everything is beside it."""
        room = [(far, far) for far in self.reach]
        closed = self.eroded(self.dilated(np.pad(inside, room)))
        return closed[tuple(slice(far, far + size) for far, size in zip(self.reach, inside.shape, strict=True))]

    def slabs(self, shape: Sequence[int], passes: int) -> Iterator[tuple[slice, slice]]:
        """Yield slabs along the first axis, and each with the context that makes ``passes`` filters exact."""
        far = passes * self.reach[0] + 1
        plane = max(1, math.prod(shape[1:]))
        for rows in slabs(shape, max(SLAB_VOXELS, 2 * far * plane)):
            yield rows, slice(max(0, rows.start - far), min(shape[0], rows.stop + far))

    def filtered(self, inside: Bools, filtering: Filter, passes: int) -> Iterator[tuple[slice, Bools]]:
        """Filter slab by slab; equals filtering the whole."""
        for rows, context in self.slabs(inside.shape, passes):
            result = filtering(inside[context])
            yield rows, result[rows.start - context.start :][: rows.stop - rows.start]

    def nearest(self, part: Mask, values: Sequence[int]) -> Mask:
        """Return the nearest of some classes within the radius of each voxel, 0 beyond it.

        Parameters
        ----------
        part : ndarray
            ``(*spatial)`` uint8.
        values : sequence of int
            Classes; of equally near ones the first wins.
        """
        result, met = np.zeros_like(part), np.zeros(part.shape, np.uint8)
        for value in values:
            reached = self.dilated(part == value)
            met += reached
            result[reached & (result == 0)] = value
        contested = np.argwhere((met > 1) & (part == 0))
        if len(contested):
            result[tuple(contested.T)] = self._first_met(part, contested, values)
        return result

    def _lines(self) -> dict[int, list[tuple[int, ...]]]:
        """Return the ball as lines along the last axis: half length to offsets along the other axes."""
        lines: dict[int, list[tuple[int, ...]]] = {}
        *across, edge = self.voxel
        for offset in product(*(range(-far, far + 1) for far in self.reach[:-1])):
            rest = (self.radius + _TOLERANCE) ** 2 - sum((o * v) ** 2 for o, v in zip(offset, across, strict=True))
            if rest >= 0:
                lines.setdefault(math.floor(math.sqrt(rest) / edge + _TOLERANCE), []).append(offset)
        return lines

    def _first_met(self, part: Mask, places: npt.NDArray[np.int64], values: Sequence[int]) -> Mask:
        """Look around each place at growing distance and return the first class met."""
        steps = np.array(list(product(*(range(-far, far + 1) for far in self.reach))))
        distance = np.sqrt(((steps * self.voxel) ** 2).sum(axis=1))
        order = np.argsort(distance, kind="stable")
        found = np.zeros(len(places), np.uint8)
        rank = np.zeros(256, np.uint8)
        rank[list(values)] = values
        for index in order[distance[order] <= self.radius + _TOLERANCE]:
            there = places + steps[index]
            valid = ((there >= 0) & (there < part.shape)).all(axis=1) & (found == 0)
            found[valid] = rank[part[tuple(there[valid].T)]]
        return found


def _overlap(offset: tuple[int, ...], shape: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return where voxels that can be moved by an offset are, and where they go."""
    here = tuple(slice(max(0, -o), max(0, n - max(0, o))) for o, n in zip(offset, shape, strict=False))
    there = tuple(slice(max(0, o), max(0, n - max(0, -o))) for o, n in zip(offset, shape, strict=False))
    return here, there
