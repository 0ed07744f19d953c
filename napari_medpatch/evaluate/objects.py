"""Objects of one class compared: found, missed, invented."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.components import Components, common_pixels, components
from napari_medpatch.evaluate.matching import Matching, match_objects
from napari_medpatch.evaluate.overlap import Overlap, ratio
from napari_medpatch.evaluate.progress import part_of
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.evaluate.surface import SurfaceScores, surface_scores
from napari_medpatch.evaluate.units import Units

Bools = npt.NDArray[np.bool_]
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


def compare_objects(
    predicted: Bools,
    true: Bools,
    units: Units,
    settings: EvaluationSettings,
    *,
    origin: tuple[int, ...],
    total: int,
    ignored: Bools | None = None,
) -> Generator[float, None, tuple[ObjectScores, ...]]:
    """Compare the connected objects of two masks of one class; yields the share that is done.

    Parameters
    ----------
    predicted, true : ndarray of bool
        ``(Y, X)`` or ``(Z, Y, X)``, cropped to where either is.
    units : Units
        Of the masks.
    settings : EvaluationSettings
        Connectivity, matching, least size, tolerance, whether to compute surfaces.
    origin : tuple of int
        First pixel of the crop.
    total : int
        Pixels that were compared, for the specificity.
    ignored : ndarray of bool, optional
        Pixels left out of the comparison.

    Returns
    -------
    tuple of ObjectScores
        True objects from largest to smallest, then false positives likewise.
    """
    full = settings.connectivity == "full"
    p = yield from part_of(components(predicted, full=full), 0.0, 0.2)
    t = yield from part_of(components(true, full=full), 0.2, 0.2)
    pairs, shared = yield from part_of(common_pixels(p, t), 0.4, 0.1)
    least = settings.min_object / units.size_of(1)
    found = match_objects(p.sizes, t.sizes, pairs, shared, min_iou=settings.min_iou, min_pixels=least)
    surfaces = yield from part_of(_surfaces(found, p, t, units, settings, ignored), 0.5, 0.5)
    detected = [
        ObjectScores(
            "detected",
            Overlap(common, int(p.sizes[i]), int(t.sizes[j]), total),
            _placed(t, j, origin),
            surfaces.get((i, j)),
        )
        for i, j, common in found.pairs
    ]
    alone = partial(_alone, found, origin=origin, total=total)
    missed = [alone("missed", t, number) for number in found.missed]
    false = [alone("false positive", p, number) for number in found.false]
    return (
        *sorted(detected + missed, key=lambda each: -each.overlap.true),
        *sorted(false, key=lambda each: -each.overlap.predicted),
    )


def detection(objects: tuple[ObjectScores, ...]) -> Detection:
    """Count the objects of a class by status."""
    counts = [sum(each.status == status for each in objects) for status in ("detected", "missed", "false positive")]
    return Detection(*counts)


def _surfaces(
    found: Matching,
    p: Components,
    t: Components,
    units: Units,
    settings: EvaluationSettings,
    ignored: Bools | None,
) -> Generator[float, None, dict[tuple[int, int], SurfaceScores | None]]:
    """Compare the surfaces of each pair, each in its own box."""
    result: dict[tuple[int, int], SurfaceScores | None] = {}
    if not settings.surface or not found.pairs:
        return result
    boxes_p, boxes_t = p.boxes(), t.boxes()
    for index, (i, j, _shared) in enumerate(found.pairs):
        box = _around(boxes_p[i - 1], boxes_t[j - 1])
        left_out = None if ignored is None else ignored[box]
        scores = surface_scores(
            p.labels[box] == i, t.labels[box] == j, units.spacing, settings.tolerance_in(units.length), left_out
        )
        share = 1 / len(found.pairs)
        result[i, j] = yield from part_of(scores, index * share, share)
    return result


def _around(one: tuple[slice, ...], other: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return the box around two boxes, one pixel wider: the neighbours say what is surface."""
    return tuple(
        slice(max(0, min(a.start, b.start) - 1), max(a.stop, b.stop) + 1) for a, b in zip(one, other, strict=True)
    )


def _placed(each: Components, number: int, origin: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(float(c) + o for c, o in zip(each.centroids[number], origin, strict=True))


def _alone(
    found: Matching, status: Status, of: Components, number: int, *, origin: tuple[int, ...], total: int
) -> ObjectScores:
    """Return the scores of an object without a partner."""
    size, missed = int(of.sizes[number]), status == "missed"
    overlap = Overlap(0, 0, size, total) if missed else Overlap(0, size, 0, total)
    other, here = ("predicted", found.missed_touching) if missed else ("true", found.false_touching)
    remark = f"overlaps a {other} object that fits another one better, or overlaps it too little"
    return ObjectScores(status, overlap, _placed(of, number, origin), None, remark if number in here else "")
