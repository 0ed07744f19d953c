"""Overlap with held-out paint, summed over several looks at it."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


class Tally:
    """Counts of agreement between masks and paint.

    Parameters
    ----------
    num_classes : int
        Background included.
    """

    def __init__(self, num_classes: int) -> None:
        self.both = np.zeros(num_classes - 1, np.int64)
        self.either = np.zeros(num_classes - 1, np.int64)
        self.pixels = 0

    def add(self, predicted: npt.NDArray[np.integer], true: npt.NDArray[np.integer]) -> None:
        """Count pixels; both are masks of one shape, 0 background."""
        values = np.arange(1, len(self.both) + 1)[:, None]
        mine, theirs = predicted.reshape(-1) == values, true.reshape(-1) == values
        self.both += (mine & theirs).sum(axis=1)
        self.either += (mine | theirs).sum(axis=1)
        self.pixels += true.size

    @property
    def iou(self) -> float:
        """Mean over the foreground classes that occur, 0 if none does."""
        return _mean(self._ratios(self.both, self.either))

    @property
    def dice(self) -> float:
        """The same as Dice."""
        return _mean(self._ratios(2 * self.both, self.both + self.either))

    def metrics(self, class_names: Sequence[str]) -> Mapping[str, float]:
        """Return ``dice``, ``iou`` and each class's Dice by name.

        Parameters
        ----------
        class_names : sequence of str
            Foreground classes.
        """
        names = [name for name, count in zip(class_names, self.either, strict=True) if count]
        each = dict(zip(names, self._ratios(2 * self.both, self.both + self.either), strict=True))
        return {"dice": self.dice, "iou": self.iou, **{f"dice {name}": value for name, value in each.items()}}

    def _ratios(self, above: npt.NDArray[np.int64], below: npt.NDArray[np.int64]) -> list[float]:
        seen = self.either > 0
        return [float(a / b) for a, b in zip(above[seen], below[seen], strict=True)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
