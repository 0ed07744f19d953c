"""Hand-made masks, and evaluations of them."""

from typing import Any

import numpy as np

from napari_medpatch.evaluate.evaluation import evaluate_masks
from napari_medpatch.evaluate.result import EvaluationResult
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.events import run

Mask = np.ndarray[Any, np.dtype[np.uint8]]


def evaluated(prediction: Mask, truth: Mask, **options: Any) -> EvaluationResult:
    """Return what the job finds; options that are settings go there."""
    known = {key: options.pop(key) for key in tuple(options) if key in EvaluationSettings.__dataclass_fields__}
    result: EvaluationResult = run(evaluate_masks(prediction, truth, settings=EvaluationSettings(**known), **options))
    return result


def slab(shape: tuple[int, ...], *ranges: tuple[int, int], value: int = 1) -> Mask:
    """Return a mask with one box."""
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(*r) for r in ranges)] = value
    return mask


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> Mask:
    """Return a mask with one ball."""
    grid = np.indices(shape)
    distance = sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True))
    return (distance <= radius**2).astype(np.uint8)


def blobs(seed: int, shape: tuple[int, ...] = (12, 20, 16), classes: int = 2) -> Mask:
    """Return a random mask with a few irregular pieces of each class; it is never empty."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(classes, *shape)), (0, *(1.5,) * len(shape)))
    best, height = noise.argmax(axis=0), noise.max(axis=0)
    return np.where(height > min(0.1, np.quantile(height, 0.95)), best + 1, 0).astype(np.uint8)
