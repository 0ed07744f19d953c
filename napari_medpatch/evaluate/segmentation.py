"""Overlap of a mask with the truth, class by class."""

from typing import Any

import numpy as np

from napari_medpatch.errors import GeometryError
from napari_medpatch.evaluate.overlap import Overlap
from napari_medpatch.io.source import AnyArray


def overlap(prediction: AnyArray, truth: AnyArray, keep: AnyArray | None = None) -> dict[int, dict[str, Any]]:
    """Compare two masks.

    Parameters
    ----------
    prediction, truth : ndarray
        Integer masks of one shape; 0 background, 1… classes.
    keep : ndarray of bool, optional
        Where to look; everywhere by default.

    Returns
    -------
    dict
        By class value: ``dice``, ``iou``, ``sensitivity``, ``precision``, ``specificity`` (None where
        undefined, as IoU of a class that neither mask has) and the voxel counts ``predicted`` and ``true``.

    Raises
    ------
    GeometryError
        If the shapes differ.
    """
    if prediction.shape != truth.shape:
        raise GeometryError(f"The masks have shapes {prediction.shape} and {truth.shape}; compare masks of one grid.")
    if keep is not None:
        prediction, truth = prediction[keep], truth[keep]
    values = sorted({int(v) for v in np.unique(prediction)} | {int(v) for v in np.unique(truth)} - {0})
    return {value: _scores(prediction == value, truth == value) for value in values if value}


def _scores(predicted: AnyArray, true: AnyArray) -> dict[str, Any]:
    both, p, t = (int(np.count_nonzero(each)) for each in (predicted & true, predicted, true))
    return {**Overlap(both, p, t, int(true.size)).scores(), "predicted": p, "true": t}
