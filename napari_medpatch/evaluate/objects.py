"""Objects of one class compared: found, missed, invented."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.components import Components, common_pixels, components
from napari_medpatch.evaluate.matching import Matching, match_objects
from napari_medpatch.evaluate.object_scores import Detection, ObjectComparison, ObjectScores, Status
from napari_medpatch.evaluate.overlap import Overlap
from napari_medpatch.evaluate.progress import wait_for
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.evaluate.surface import surface_scores
from napari_medpatch.evaluate.units import Units
from napari_medpatch.steps import part_of

Bools = npt.NDArray[np.bool_]
Slices: TypeAlias = tuple[slice, ...]
Boxes: TypeAlias = dict[int, Slices]
MOST_LISTED = 20_000
"""Of the objects of a mask: noise has a million of them, which nobody reads."""


def compare_objects(
    predicted: Bools,
    true: Bools,
    units: Units,
    settings: EvaluationSettings,
    *,
    origin: tuple[int, ...],
    total: int,
    ignored: Bools | None = None,
) -> Generator[float, None, ObjectComparison]:
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
    ObjectComparison
        Counts of all objects, scores of the largest :data:`MOST_LISTED` of either mask.
    """
    full = settings.connectivity == "full"
    p = yield from part_of(components(predicted, full=full), 0.0, 0.2)
    t = yield from part_of(components(true, full=full), 0.2, 0.2)
    pairs, shared = yield from part_of(common_pixels(p, t), 0.4, 0.1)
    least = settings.min_object / units.size_of(1)
    matching = wait_for(match_objects, p.sizes, t.sizes, pairs, shared, min_iou=settings.min_iou, min_pixels=least)
    found = yield from part_of(matching, 0.5, 0.0)
    work = _Comparison(found, p, t, units, settings, origin, total, ignored)
    objects = yield from part_of(work.scores(), 0.5, 0.5)
    return ObjectComparison(objects, Detection(len(found.pairs), len(found.missed), len(found.false)))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Scores objects that have been matched."""

    found: Matching
    p: Components
    t: Components
    units: Units
    settings: EvaluationSettings
    origin: tuple[int, ...]
    total: int
    ignored: Bools | None

    def scores(self) -> Generator[float, None, tuple[ObjectScores, ...]]:
        """Score the largest true objects and the largest false positives."""
        partners = {true: (predicted, common) for predicted, true, common in self.found.pairs}
        true = yield from wait_for(_largest, (*partners, *self.found.missed), self.t)
        false = yield from wait_for(_largest, self.found.false, self.p)
        detected = [number for number in true if number in partners]
        boxes: tuple[Boxes, Boxes] = ({}, {})
        if detected and self.settings.surface:
            boxes_p = yield from wait_for(self.p.boxes, [partners[number][0] for number in detected])
            boxes = boxes_p, (yield from wait_for(self.t.boxes, detected))
        result: list[ObjectScores] = []
        for number in true:
            if number in partners:
                done, share = len(result) / (len(true) + 1), 1 / (len(true) + 1)
                result.append((yield from part_of(self._detected(number, *partners[number], boxes), done, share)))
            else:
                result.append(self._alone("missed", self.t, number))
        yield 1.0
        result += [self._alone("false positive", self.p, number) for number in false]
        return tuple(result)

    def _detected(
        self, true: int, predicted: int, common: int, boxes: tuple[Boxes, Boxes]
    ) -> Generator[float, None, ObjectScores]:
        """Return the scores of a pair; surfaces are compared within its own box."""
        surface = None
        if self.settings.surface:
            box = _around(boxes[0][predicted], boxes[1][true])
            surface = yield from surface_scores(
                self.p.labels[box] == predicted,
                self.t.labels[box] == true,
                self.units.spacing,
                self.settings.tolerance_in(self.units.length),
                None if self.ignored is None else self.ignored[box],
            )
        overlap = Overlap(common, int(self.p.sizes[predicted]), int(self.t.sizes[true]), self.total)
        return ObjectScores("detected", overlap, self._placed(self.t, true), surface)

    def _alone(self, status: Status, of: Components, number: int) -> ObjectScores:
        """Return the scores of an object without a partner."""
        size, missed = int(of.sizes[number]), status == "missed"
        overlap = Overlap(0, 0, size, self.total) if missed else Overlap(0, size, 0, self.total)
        other = "predicted" if missed else "true"
        touching = number in (self.found.missed_touching if missed else self.found.false_touching)
        remark = f"overlaps a {other} object that fits another one better, or overlaps it too little"
        return ObjectScores(status, overlap, self._placed(of, number), None, remark if touching else "")

    def _placed(self, of: Components, number: int) -> tuple[float, ...]:
        return tuple(float(c) + o for c, o in zip(of.centroids[number], self.origin, strict=True))


def _largest(numbers: Sequence[int], of: Components) -> list[int]:
    """Return the numbers of the largest objects, largest first."""
    every = np.array(sorted(numbers), dtype=np.int64)
    order = np.argsort(-of.sizes[every], kind="stable")[:MOST_LISTED]
    return [int(number) for number in every[order]]


def _around(one: Slices, other: Slices) -> Slices:
    """Return the box around two boxes, one pixel wider: the neighbours say what is surface."""
    return tuple(
        slice(max(0, min(a.start, b.start) - 1), max(a.stop, b.stop) + 1) for a, b in zip(one, other, strict=True)
    )
