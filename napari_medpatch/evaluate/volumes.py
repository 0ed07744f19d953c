"""Measure a mask by itself: volumes, objects, values of the image inside."""

import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError
from napari_medpatch.evaluate.components import components
from napari_medpatch.evaluate.intensities import Intensities, intensities
from napari_medpatch.evaluate.masks import Mask, class_boxes, to_mask
from napari_medpatch.evaluate.objects import MOST_LISTED
from napari_medpatch.evaluate.progress import wait_for, working
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.evaluate.slices import SliceCounts, count_slices
from napari_medpatch.evaluate.units import Units
from napari_medpatch.evaluate.volumes_result import MeasuredClass, MeasuredObject, VolumesResult
from napari_medpatch.evaluate.world import World
from napari_medpatch.events import Finished, Job, Started, Working
from napari_medpatch.geometry import Box
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.wording import size_text
from napari_medpatch.steps import part_of


def measure_mask(
    mask: AnyArray,
    *,
    spacing: Sequence[float] | None = None,
    unit: str = "mm",
    affine: AnyArray | None = None,
    class_names: Sequence[str] = (),
    image: AnyArray | None = None,
    value_unit: str = "",
    settings: EvaluationSettings | None = None,
    notes: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> Job:
    """Measure the classes of a mask and their connected objects.

    Parameters
    ----------
    mask : ndarray
        ``(Z, Y, X)`` or ``(Y, X)``, booleans or whole numbers from 0 to 255; 0 background, 1… classes.
    spacing, unit, affine, class_names, notes, provenance
        As :func:`napari_medpatch.evaluate.evaluation.evaluate_masks`.
    image, value_unit : ndarray, str, optional
        One real number per pixel, such as HU, and its unit: gives mean and standard deviation of classes and objects.
    settings : EvaluationSettings, optional
        Connectivity and least size of objects.

    Yields
    ------
    Event
        ``Started`` (unit ``steps``, one per class), ``Working``, ``Finished`` with a :class:`VolumesResult`.

    Raises
    ------
    GeometryError
        If the image has another shape, or the pixel size does not fit.
    LabelsError
        If values are not whole numbers from 0 to 255.
    """
    begun = time.monotonic()
    settings = settings or EvaluationSettings()
    values = to_mask(np.asarray(mask), "mask")
    _check_shapes(values, image)
    units = Units.given(spacing, unit, values.ndim)
    boxes = yield from working(wait_for(class_boxes, values))
    yield Started(max(1, len(boxes)), "steps")
    classes = yield from _measure_all(values, boxes, class_names, image, units, settings)
    yield Finished(
        VolumesResult(
            classes=classes,
            units=units,
            world=World.of(units, affine),
            shape=values.shape,
            settings=settings,
            value_unit=value_unit,
            notes=tuple(notes),
            seconds=time.monotonic() - begun,
            provenance=dict(provenance or {}),
        )
    )


def _check_shapes(mask: Mask, image: AnyArray | None) -> None:
    if mask.ndim not in (2, 3) or (image is not None and image.shape != mask.shape):
        other = "" if image is None else f" and the image {size_text(image.shape)}"
        raise GeometryError(
            f"The mask has the shape {size_text(mask.shape)}{other}; measure masks of 2 or 3 axes on the image's grid."
        )


def _measure_all(
    mask: Mask,
    boxes: Mapping[int, Box],
    names: Sequence[str],
    image: AnyArray | None,
    units: Units,
    settings: EvaluationSettings,
) -> Generator[Working, None, tuple[MeasuredClass, ...]]:
    classes = []
    for index, (value, box) in enumerate(boxes.items()):
        name = names[value - 1] if value <= len(names) else ""
        classes.append((yield from working(_measure(mask, value, name, box, image, units, settings), index)))
    return tuple(classes)


def _measure(
    mask: Mask, value: int, name: str, box: Box, image: AnyArray | None, units: Units, settings: EvaluationSettings
) -> Generator[float, None, MeasuredClass]:
    inside = mask[box.slices] == value
    slices = yield from part_of(_slices(inside, box, mask.shape), 0.0, 0.3)
    found = yield from part_of(components(inside, full=settings.connectivity == "full"), 0.3, 0.4)
    sums: Intensities | None = None
    if image is not None:
        sums = yield from part_of(intensities(found, image[box.slices]), 0.7, 0.3)
    least = settings.min_object / units.size_of(1)
    order = np.argsort(-found.sizes[1:], kind="stable")[:MOST_LISTED] + 1
    objects = tuple(
        MeasuredObject(
            int(found.sizes[number]),
            tuple(float(c) + o for c, o in zip(found.centroids[number], box.start, strict=True)),
            None if sums is None else sums.of_object(number),
        )
        for number in order
        if found.sizes[number] >= least and settings.objects
    )
    count = int(np.count_nonzero(found.sizes[1:] >= max(least, 1))) if settings.objects else 0
    return MeasuredClass(value, name, slices, objects, count, None if sums is None else sums.of_all())


def _slices(inside: npt.NDArray[np.bool_], box: Box, shape: tuple[int, ...]) -> Generator[float, None, SliceCounts]:
    if inside.ndim == 3:
        return (yield from count_slices(inside, inside, box, shape))
    counts = yield from count_slices(inside, inside, Box((0, *box.start), (1, *box.stop)), (1, *shape))
    return counts.drop_first_axis()
