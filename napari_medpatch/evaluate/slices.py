"""How many pixels of a class each slice has in common, along every axis."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.overlap import Overlap
from napari_medpatch.geometry import Box

Counts = npt.NDArray[np.int64]
Planes = Callable[[int], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class SliceCounts:
    """Counts of one class per slice.

    Parameters
    ----------
    both, predicted, true : tuple of ndarray
        One (slices,) int64 array per axis of the mask.
    """

    both: tuple[Counts, ...]
    predicted: tuple[Counts, ...]
    true: tuple[Counts, ...]

    def dice(self, axis: int) -> npt.NDArray[np.float64]:
        """Return the Dice of each slice along an axis; NaN where neither mask has the class."""
        below = self.predicted[axis] + self.true[axis]
        result = np.full(len(below), np.nan)
        np.divide(2 * self.both[axis], below, out=result, where=below > 0)
        return result

    def overlap(self, total: int) -> Overlap:
        """Return the overlap of the whole class among ``total`` compared pixels."""
        both, predicted, true = (int(each[0].sum()) for each in (self.both, self.predicted, self.true))
        return Overlap(both, predicted, true, total)

    def drop_first_axis(self) -> "SliceCounts":
        """Return the counts of a picture that was held as a volume of one slice."""
        return SliceCounts(self.both[1:], self.predicted[1:], self.true[1:])


def count_slices(
    predicted: Planes, true: Planes, box: Box, shape: Sequence[int]
) -> Generator[float, None, SliceCounts]:
    """Count a class slice by slice; yields the share that is done.

    Parameters
    ----------
    predicted, true : callable
        Give plane ``z`` of the box, ``(Y, X) bool``.
    box : Box
        Where the class lies in either mask, three axes.
    shape : sequence of int
        Of the whole masks, three axes.
    """
    flat = [np.zeros(box.shape[1:], np.uint32) for _ in range(3)]
    along = np.zeros((3, shape[0]), np.int64)
    for z in range(box.shape[0]):
        p, t = predicted(z), true(z)
        for index, plane in enumerate((p & t, p, t)):
            along[index, box.start[0] + z] = np.count_nonzero(plane)
            flat[index] += plane
        yield (z + 1) / box.shape[0]
    counts = [(along[index], *(_placed(each, axis, box, shape) for axis in (1, 2))) for index, each in enumerate(flat)]
    return SliceCounts(*counts)


def _placed(flat: npt.NDArray[np.uint32], axis: int, box: Box, shape: Sequence[int]) -> Counts:
    """Return the sums of a projection along one axis, at their place in the whole mask."""
    result = np.zeros(shape[axis], np.int64)
    result[box.start[axis] : box.stop[axis]] = flat.sum(axis=2 - axis, dtype=np.int64)
    return result
