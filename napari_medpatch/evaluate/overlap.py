"""Overlap of one class in two masks, from three counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Overlap:
    """Counts of pixels and the scores that follow from them.

    A score whose denominator is 0 is None: nothing can be said of a class that neither mask has. If only one mask
    has it, Dice and IoU are 0.

    Parameters
    ----------
    both : int
        Pixels of the class in both masks (true positives).
    predicted : int
        Pixels of the class in the prediction.
    true : int
        Pixels of the class in the truth.
    total : int
        Pixels that were compared.
    """

    both: int
    predicted: int
    true: int
    total: int

    @property
    def dice(self) -> float | None:
        """Twice the common pixels by the sum of both (Dice 1945; the F1 score of pixels)."""
        return ratio(2 * self.both, self.predicted + self.true)

    @property
    def iou(self) -> float | None:
        """Common pixels by those of either (Jaccard 1901)."""
        return ratio(self.both, self.predicted + self.true - self.both)

    @property
    def sensitivity(self) -> float | None:
        """Share of the truth that was found."""
        return ratio(self.both, self.true)

    @property
    def precision(self) -> float | None:
        """Share of the prediction that is true."""
        return ratio(self.both, self.predicted)

    @property
    def specificity(self) -> float | None:
        """Share of the rest of the image that was left alone; grows with the image."""
        return ratio(self.total - self.predicted - self.true + self.both, self.total - self.true)

    def scores(self) -> dict[str, float | None]:
        """Return all scores by name."""
        return {
            "dice": self.dice,
            "iou": self.iou,
            "sensitivity": self.sensitivity,
            "specificity": self.specificity,
            "precision": self.precision,
        }


def ratio(above: int, below: int) -> float | None:
    """Return a quotient, None if nothing can be said."""
    return above / below if below else None
