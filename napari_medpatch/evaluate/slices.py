"""How many pixels of a class each slice has in common, along every axis."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.overlap import Overlap
from napari_medpatch.evaluate.pieces import pieces_of
from napari_medpatch.geometry import Box

Counts = npt.NDArray[np.int64]


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
    predicted: npt.NDArray[Any], true: npt.NDArray[Any], box: Box, shape: Sequence[int]
) -> Generator[float, None, SliceCounts]:
    """Count what two masks have in each slice; yields the share that is done.

    Parameters
    ----------
    predicted, true : ndarray
        ``(Z, Y, X)`` or ``(Y, X)``, not zero where the masks are; cropped to ``box``.
    box : Box
        Where that is, three axes; a picture is the one slice of a volume.
    shape : sequence of int
        Of the whole masks, three axes.
    """
    flat = [np.zeros(box.shape[1:], np.min_scalar_type(box.shape[0])) for _ in range(3)]
    along = np.zeros((3, shape[0]), np.int64)
    pieces = list(zip(pieces_of(predicted), pieces_of(true), strict=True))
    for done, ((z, y, of_prediction), (_, _, of_truth)) in enumerate(pieces, start=1):
        p, t = of_prediction > 0, of_truth > 0
        for index, piece in enumerate((p & t, p, t)):
            along[index, box.start[0] + z] += np.count_nonzero(piece)
            flat[index][y : y + len(piece)] += piece
        yield done / len(pieces)
    counts = [(along[index], *(_placed(each, axis, box, shape) for axis in (1, 2))) for index, each in enumerate(flat)]
    return SliceCounts(*counts)


def _placed(flat: npt.NDArray[Any], axis: int, box: Box, shape: Sequence[int]) -> Counts:
    """Return the sums of a projection along one axis, at their place in the whole mask."""
    result = np.zeros(shape[axis], np.int64)
    result[box.start[axis] : box.stop[axis]] = flat.sum(axis=2 - axis, dtype=np.int64)
    return result
