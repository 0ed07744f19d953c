"""Compare a mask with the truth, as a job."""

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_medpatch.evaluate.class_hints import Pairs, class_hints, count_pairs
from napari_medpatch.evaluate.masks import Bools, MaskPair, around, class_boxes
from napari_medpatch.evaluate.object_scores import ObjectComparison
from napari_medpatch.evaluate.objects import compare_objects
from napari_medpatch.evaluate.overlap import Overlap
from napari_medpatch.evaluate.progress import wait_for, working
from napari_medpatch.evaluate.result import ANY_CLASS, ClassScores, EvaluationResult
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.evaluate.slices import SliceCounts, count_slices
from napari_medpatch.evaluate.surface import SurfaceScores, surface_scores
from napari_medpatch.evaluate.units import Units
from napari_medpatch.evaluate.world import World
from napari_medpatch.events import Finished, Job, Noted, Started, Working
from napari_medpatch.geometry import Box
from napari_medpatch.io.source import AnyArray
from napari_medpatch.steps import part_of


def evaluate_masks(
    prediction: AnyArray,
    truth: AnyArray,
    *,
    spacing: Sequence[float] | None = None,
    unit: str = "mm",
    affine: AnyArray | None = None,
    class_names: Sequence[str] = (),
    keep: AnyArray | None = None,
    settings: EvaluationSettings | None = None,
    notes: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> Job:
    """Compare a mask with the truth, per class, per connected object and per slice.

    Parameters
    ----------
    prediction, truth : ndarray
        ``(Z, Y, X)`` or ``(Y, X)``, booleans or whole numbers from 0 to 255; 0 background, 1… classes.
    spacing : sequence of float, optional
        Size of a pixel along each axis, ``(z, y, x)`` or ``(y, x)``; without it results are in pixels.
    unit : str
        Of ``spacing``: ``"mm"`` or ``"um"``.
    affine : ndarray, optional
        (4, 4), ``(x, y, z)`` index to RAS+ mm, for the world coordinates of objects.
    class_names : sequence of str
        Of values 1, 2, ….
    keep : ndarray of bool, optional
        Which pixels are compared; all by default. Surfaces beside pixels that are left out do not count.
    settings : EvaluationSettings, optional
        Tolerance, matching of objects, what to leave out.
    notes, provenance : sequence of str, mapping, optional
        Kept in the result; notes before those that the job adds.

    Yields
    ------
    Event
        ``Started`` (unit ``steps``, one per class), ``Working`` many times a second, ``Noted`` if the masks seem to
        number their classes differently, ``Finished`` with an :class:`EvaluationResult`.

    Raises
    ------
    GeometryError
        If shapes differ, or the pixel size does not fit them.
    LabelsError
        If values are not whole numbers from 0 to 255, or nothing is left to compare.
    """
    begun = time.monotonic()
    units = Units.given(spacing, unit, np.ndim(truth))
    masks = MaskPair.of(np.asarray(prediction), np.asarray(truth), None if keep is None else np.asarray(keep))
    boxes = yield from working(wait_for(class_boxes, masks.predicted, masks.true))
    comparison = _Comparison(masks, units, settings or EvaluationSettings(), tuple(class_names))
    yield Started(len(boxes) + 1, "steps")
    result, hints = yield from comparison.result(boxes, World.of(units, affine), np.shape(truth))
    yield from (Noted(hint, "warning") for hint in hints)
    seconds = time.monotonic() - begun
    yield Finished(replace(result, notes=(*notes, *hints), seconds=seconds, provenance=dict(provenance or {})))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compares classes of a pair of masks."""

    masks: MaskPair
    units: Units
    settings: EvaluationSettings
    class_names: tuple[str, ...]

    def result(
        self, boxes: Mapping[int, Box], world: World, shape: tuple[int, ...]
    ) -> Generator[Working, None, tuple[EvaluationResult, list[str]]]:
        """Compare class by class, then any with any; returns what is to be said of their numbers as well."""
        classes = []
        for index, (value, box) in enumerate(boxes.items()):
            classes.append((yield from working(self.compare(value, box), index)))
        foreground, pairs = yield from working(self.foreground(list(boxes.values())), len(boxes))
        result = EvaluationResult(
            tuple(classes), foreground, self.units, world, shape, self.masks.compared, self.settings
        )
        return result, class_hints(pairs, self.class_names)

    def compare(self, value: int, box: Box) -> Generator[float, None, ClassScores]:
        """Compare one class within its box."""
        p, t = (self.masks.crop(mask, box) == value for mask in (self.masks.predicted, self.masks.true))
        slices = yield from part_of(self._slices(p, t, box), 0.0, 0.2)
        overlap = slices.overlap(self.masks.compared)
        ignored = None if self.masks.ignored is None else self.masks.crop(self.masks.ignored, box)
        surface = yield from part_of(self._surface(p, t, ignored), 0.2, 0.4)
        found = yield from part_of(self._objects(p, t, ignored, box), 0.6, 0.4)
        name = self.class_names[value - 1] if value <= len(self.class_names) else ""
        return ClassScores(value, name, overlap, slices, surface, found, _remark(overlap, found))

    def foreground(self, boxes: list[Box]) -> Generator[float, None, tuple[ClassScores, Pairs]]:
        """Compare any class with any class, and count which lies on which."""
        box = boxes[0] if boxes else Box((0, 0, 0), (1, 0, 0))
        for other in boxes[1:]:
            box = around(box, other)
        p, t = (self.masks.crop(mask, box) for mask in (self.masks.predicted, self.masks.true))
        slices = yield from part_of(count_slices(p, t, box, self.masks.shape), 0.0, 0.5)
        slices = slices.drop_first_axis() if self.masks.flat else slices
        pairs = yield from part_of(count_pairs(self.masks, box), 0.5, 0.5)
        return ClassScores(ANY_CLASS, "any class", slices.overlap(self.masks.compared), slices), pairs

    def _slices(self, p: Bools, t: Bools, box: Box) -> Generator[float, None, SliceCounts]:
        slices = yield from count_slices(p, t, box, self.masks.shape)
        return slices.drop_first_axis() if self.masks.flat else slices

    def _surface(self, p: Bools, t: Bools, ignored: Bools | None) -> Generator[float, None, SurfaceScores | None]:
        if not self.settings.surface:
            return None
        tolerance = self.settings.tolerance_in(self.units.length)
        return (yield from surface_scores(p, t, self.units.spacing, tolerance, ignored))

    def _objects(
        self, p: Bools, t: Bools, ignored: Bools | None, box: Box
    ) -> Generator[float, None, ObjectComparison | None]:
        if not self.settings.objects:
            return None
        origin = box.start[-self.units.ndim :]
        found = compare_objects(
            p, t, self.units, self.settings, origin=origin, total=self.masks.compared, ignored=ignored
        )
        return (yield from found)


def _remark(overlap: Overlap, found: ObjectComparison | None) -> str:
    if not overlap.true:
        return "not in the truth"
    if not overlap.predicted:
        return "not in the prediction"
    return (
        f"{found.left_out:,} small objects are counted but not listed" if found is not None and found.left_out else ""
    )
