"""From network output to labels and probability maps."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import MedPatchError
from napari_medpatch.infer.resample import FloatArray

if TYPE_CHECKING:
    import torch

Bytes = npt.NDArray[np.uint8]


def check_threshold(threshold: float | None) -> None:
    """Raise unless a threshold lies between 0 and 1."""
    if threshold is not None and not 0 < threshold < 1:
        raise MedPatchError(f"The threshold {threshold} does not lie between 0 and 1; choose one that does.")


def relative_logits(logits: "torch.Tensor") -> FloatArray:
    """Return each foreground class's logit minus the background's.

    Softmax and argmax depend on these differences only, and one map fewer has to be brought to the
    image's grid.

    Parameters
    ----------
    logits : Tensor
        ``(K, *spatial)``, background first.

    Returns
    -------
    ndarray
        ``(K - 1, *spatial)`` float32.
    """
    difference: FloatArray = (logits[1:] - logits[:1]).cpu().numpy()
    return difference


def decide(relative: FloatArray, threshold: float | None, *, maps: bool) -> tuple[Bytes, Bytes | None]:
    """Turn relative logits into labels and, on request, probability maps.

    Parameters
    ----------
    relative : ndarray
        ``(C, *spatial)`` float32, as :func:`relative_logits` returns it.
    threshold : float or None
        None takes the most probable class. Otherwise a voxel is the likeliest foreground class if that
        one's probability reaches the threshold.
    maps : bool
        Whether probability maps are wanted.

    Returns
    -------
    labels : ndarray
        ``(*spatial)`` uint8, 0 background.
    probabilities : ndarray or None
        ``(C, *spatial)`` uint8, probability × 255.
    """
    best = relative.max(axis=0)
    labels = (relative.argmax(axis=0) + 1).astype(np.uint8)
    if threshold is None and not maps:
        labels[best <= 0] = 0
        return labels, None
    probabilities = _softmax(relative, best)
    if threshold is None:
        labels[best <= 0] = 0
    else:
        labels[probabilities.max(axis=0) < np.float32(threshold)] = 0
    return labels, (probabilities * 255 + 0.5).astype(np.uint8) if maps else None


def _softmax(relative: FloatArray, best: FloatArray) -> FloatArray:
    """Return softmax over the background's 0 and the classes' relative logits, without the background."""
    top = np.maximum(best, 0)
    powers = np.exp(relative - top)
    powers /= powers.sum(axis=0) + np.exp(-top)
    return powers
