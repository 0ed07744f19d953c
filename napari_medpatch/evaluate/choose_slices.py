"""Which slices a report shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.slices import SliceCounts

_LEAST_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Chosen:
    """A slice and why it is shown.

    Parameters
    ----------
    axis, index : int
        Which.
    why : str
        ``"best"``, ``"middle"``, ``"worst"``.
    """

    axis: int
    index: int
    why: str


def choose_slices(counts: SliceCounts, axis: int, *, scored: bool = True) -> list[Chosen]:
    """Choose the best, the middle and the worst slice along an axis.

    Slices with less than a tenth of the foreground of the fullest one are left out: at the ends of an organ a few
    pixels decide the Dice.

    Parameters
    ----------
    counts : SliceCounts
        Of the foreground.
    axis : int
        Along which.
    scored : bool
        False for a mask by itself: the middle alone.
    """
    amount = np.maximum(counts.predicted[axis], counts.true[axis])
    if not amount.any():
        return []
    large = np.flatnonzero(amount >= _LEAST_SHARE * amount.max())
    middle = Chosen(axis, int(large[len(large) // 2]), "middle")
    if not scored or len(amount) == 1:
        return [middle]
    dice = counts.dice(axis)[large]
    return [Chosen(axis, int(large[dice.argmax()]), "best"), middle, Chosen(axis, int(large[dice.argmin()]), "worst")]


def window_of(counts: SliceCounts, axis: int, shape: Sequence[int], spacing: Sequence[float]) -> tuple[slice, slice]:
    """Return the rows and columns around the foreground in slices along an axis, with a margin.

    Parameters
    ----------
    counts : SliceCounts
        Of the foreground; not empty.
    axis : int
        Along which slices are cut; ignored for pictures.
    shape, spacing : sequence
        Of the masks.
    """
    others = [other for other in range(len(shape)) if len(shape) == 2 or other != axis]
    ranges = [_range(counts.predicted[other] + counts.true[other]) for other in others]
    # The same margin both ways, in length: a tenth of the longer side, at least eight pixels.
    longest = max((stop - start) * spacing[other] for (start, stop), other in zip(ranges, others, strict=True))
    margins = [max(8, round(0.1 * longest / spacing[other])) for other in others]
    rows, columns = (
        slice(max(0, start - margin), min(shape[other], stop + margin))
        for (start, stop), margin, other in zip(ranges, margins, others, strict=True)
    )
    return rows, columns


def _range(amount: npt.NDArray[np.int64]) -> tuple[int, int]:
    found = np.flatnonzero(amount)
    return int(found[0]), int(found[-1]) + 1
