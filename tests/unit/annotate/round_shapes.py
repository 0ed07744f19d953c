"""Shapes with a formula, painted on some slices, and how well they are found again."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from napari_medpatch.annotate.interpolate import InterpolateSettings, InterpolationResult, interpolate
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.events import run
from napari_medpatch.io.array_source import ArraySource

Disc = tuple[tuple[float, float], float]


def disc(shape: Sequence[int], centre: tuple[float, float], radius: float) -> np.ndarray:
    """A disc around a centre ``(y, x)``."""
    y, x = np.indices(shape)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


def stack(depth: int, size: int, at: Callable[[int], Disc]) -> np.ndarray:
    """A volume ``(depth, size, size)`` of one disc per slice."""
    return np.stack([disc((size, size), *at(index)) for index in range(depth)])


def painted(truth: np.ndarray, slices: Sequence[int], axis: int = 0, *, outside: bool = True) -> SparseLabels:
    """Labels of whole slices, or of the structures only."""
    names = ("background", *(f"class {n}" for n in range(1, int(truth.max()) + 1)))
    labels = SparseLabels.from_mask(truth.astype(np.uint8), {axis: slices}, names)
    if not outside:
        labels.labels[labels.labels == 1] = 0
    return labels


def fill(
    labels: SparseLabels, hu: np.ndarray | None = None, spacing: Sequence[float] = (1, 1, 1), **settings: Any
) -> InterpolationResult:
    """Interpolate labels, by shape unless said otherwise, on a volume without contrast unless given one."""
    values = np.zeros(labels.labels.shape, np.int16) if hu is None else hu
    chosen = InterpolateSettings(**{"method": "shape", **settings})
    result: InterpolationResult = run(interpolate(ArraySource(values, "volume", spacing), labels, chosen))
    return result


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    """Intersection over union."""
    return float((found & wanted).sum() / (found | wanted).sum())
