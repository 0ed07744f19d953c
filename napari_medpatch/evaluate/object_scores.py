"""What comparing the objects of a class found."""

from dataclasses import dataclass
from typing import Literal

from napari_medpatch.evaluate.overlap import Overlap, ratio
from napari_medpatch.evaluate.surface import SurfaceScores

Status = Literal["detected", "missed", "false positive"]


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """One object: a true one with its partner, a true one without, or a predicted one without.

    Parameters
    ----------
    status : {"detected", "missed", "false positive"}
        Which of the three.
    overlap : Overlap
        Of the object with its partner; one side is 0 without a partner.
    centroid : tuple of float
        Of the true object, of the predicted one if it is a false positive; in pixels of the mask.
    surface : SurfaceScores or None
        Distances to the partner; None without one.
    remark : str
        Why an object without a partner touches one of the other mask.
    """

    status: Status
    overlap: Overlap
    centroid: tuple[float, ...]
    surface: SurfaceScores | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Detection:
    """How many objects of a class were found.

    Parameters
    ----------
    detected, missed, false_positives : int
        True objects with and without a partner, predicted ones without.
    """

    detected: int
    missed: int
    false_positives: int

    @property
    def sensitivity(self) -> float | None:
        """Share of the true objects that were found."""
        return ratio(self.detected, self.detected + self.missed)

    @property
    def precision(self) -> float | None:
        """Share of the predicted objects that are true."""
        return ratio(self.detected, self.detected + self.false_positives)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of the two."""
        return ratio(2 * self.detected, 2 * self.detected + self.missed + self.false_positives)


@dataclass(frozen=True, slots=True)
class ObjectComparison:
    """The objects of a class.

    Parameters
    ----------
    objects : tuple of ObjectScores
        True objects from largest to smallest, then false positives likewise; of a great many only the largest.
    detection : Detection
        Counts of all of them.
    """

    objects: tuple[ObjectScores, ...]
    detection: Detection

    @property
    def left_out(self) -> int:
        """How many objects are counted but not listed."""
        counts = self.detection
        return counts.detected + counts.missed + counts.false_positives - len(self.objects)
