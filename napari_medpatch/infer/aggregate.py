"""From the scores of patches to one score for the slide."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.attention import attention_score


def slide_score(
    probabilities: npt.NDArray[np.float32],
    class_names: Sequence[str],
    *,
    top_k: int = 10,
    threshold: float = 0.5,
    attention: npt.NDArray[np.float32] | None = None,
) -> dict[str, Any]:
    """Summarise patch probabilities per class.

    Parameters
    ----------
    probabilities : ndarray
        ``(…, C) float32``; patches with NaN (not scored) are left out.
    class_names : sequence of str
        One per channel.
    top_k : int
        How many of the highest patches the top-k mean takes (all, if there are fewer).
    threshold : float
        Probability from which a patch counts as positive.
    attention : ndarray, optional
        ``(…) float32``, weights of the patches in a multiple-instance model
        (:func:`napari_medpatch.infer.attention.relative_attention`).

    Returns
    -------
    dict
        ``{"patches", "top_k", "threshold", "classes": {name: {"mean", "top_k_mean", "fraction_above"}}}``.
        With ``attention`` also ``{"attention": {name: probability of the slide}}``.
        The values are None where no patch was scored. Probabilities of patches are not those of the
        slide: the top-k mean is the usual baseline for small lesions, the mean for diffuse patterns.
    """
    values = probabilities.reshape(-1, len(class_names)).astype(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    highest = np.sort(values, axis=0)[::-1][:top_k]
    classes = {
        name: {
            "mean": _mean(values[:, index]),
            "top_k_mean": _mean(highest[:, index]),
            "fraction_above": _mean(values[:, index] >= threshold),
        }
        for index, name in enumerate(class_names)
    }
    score: dict[str, Any] = {"patches": len(values), "top_k": top_k, "threshold": threshold, "classes": classes}
    if attention is not None:
        score["attention"] = attention_score(probabilities, attention, class_names)
    return score


def _mean(values: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if values.size else None
