"""Attention pooling: one probability for a slide from those of its patches.

Gated attention multiple-instance learning (Ilse, Tomczak and Welling, ICML 2018) weights the patches of a
slide with the softmax of their attention logits. The bag classifier of our bundles is linear, so that the
slide's logits are the weighted mean of the patches' logits.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]

_SMALLEST = float(np.finfo(np.float32).tiny)
_CLOSEST = float(np.finfo(np.float32).eps) / 2


def relative_attention(logits: Map) -> Map:
    """Turn attention logits into weights that can be shown and stored.

    Parameters
    ----------
    logits : ndarray
        Any shape, float32; NaN where there is no patch.

    Returns
    -------
    ndarray
        float32 of the same shape, 0…1: the weight divided by the largest one (1 is the patch that the
        model minds most). The softmax weights are these divided by their sum.
    """
    if not np.isfinite(logits).any():
        return np.full(logits.shape, np.nan, np.float32)
    weights: Map = np.exp(logits.astype(np.float64) - float(np.nanmax(logits))).astype(np.float32)
    return weights


def attention_score(probabilities: Map, weights: Map, class_names: Sequence[str]) -> dict[str, float] | None:
    """Pool a slide's patches.

    Parameters
    ----------
    probabilities : ndarray
        ``(…, C) float32`` of patches; NaN where none was scored.
    weights : ndarray
        ``(…) float32``, proportional to the attention weights, as :func:`relative_attention` gives them.
    class_names : sequence of str
        One per channel.

    Returns
    -------
    dict or None
        Probability of the slide by class; None where no patch was scored. A softmax hides what is added to
        all logits of a patch, but that shift also cancels out in the slide's softmax.
    """
    values = probabilities.reshape(-1, len(class_names)).astype(np.float64)
    share = weights.reshape(-1).astype(np.float64)
    scored = np.isfinite(values).all(axis=1) & np.isfinite(share)
    values, share = values[scored], share[scored]
    if not len(values):
        return None
    share = share / share.sum()
    if len(class_names) == 1:
        sure = values.clip(_SMALLEST, 1 - _CLOSEST)
        logit = float(share @ np.log(sure / (1 - sure))[:, 0])
        return {class_names[0]: float(1 / (1 + np.exp(-logit)))}
    logits = share @ np.log(values.clip(_SMALLEST, 1))
    exponents = np.exp(logits - logits.max())
    return dict(zip(class_names, (exponents / exponents.sum()).tolist(), strict=True))
