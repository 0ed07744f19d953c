"""From network output to labels, probability maps and uncertainty."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import MedPatchError
from napari_medpatch.infer.working_grid import FloatArray

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


class Decision(NamedTuple):
    """What a piece of an image turned out to be.

    Parameters
    ----------
    labels : ndarray
        ``(*spatial)`` uint8, 0 background.
    probabilities : ndarray or None
        ``(C, *spatial)`` uint8, probability × 255 of each foreground class.
    uncertainty : ndarray or None
        ``(*spatial)`` uint8, entropy of the classes, background included: 0 is certain, 255 is all classes
        equally likely.
    """

    labels: Bytes
    probabilities: Bytes | None
    uncertainty: Bytes | None


def decide(relative: FloatArray, threshold: float | None, *, maps: bool, uncertainty: bool = False) -> Decision:
    """Turn relative logits into labels and, on request, probability maps and uncertainty.

    Parameters
    ----------
    relative : ndarray
        ``(C, *spatial)`` float32, as :func:`relative_logits` returns it.
    threshold : float or None
        None takes the most probable class. Otherwise a voxel is the likeliest foreground class if that
        one's probability reaches the threshold.
    maps, uncertainty : bool
        What is wanted besides labels.
    """
    best = relative[0] if len(relative) == 1 else relative.max(axis=0)
    labels = _likeliest(relative)
    if threshold is None:
        labels[best <= 0] = 0
        if not maps and not uncertainty:
            return Decision(labels, None, None)
    probabilities = _softmax(relative, best)
    if threshold is not None:
        labels[probabilities.max(axis=0) < np.float32(threshold)] = 0
    doubt = _entropy(probabilities, relative, best) if uncertainty else None
    return Decision(labels, _bytes(probabilities) if maps else None, doubt)


def _likeliest(relative: FloatArray) -> Bytes:
    """Return the foreground class with the largest logit, counted from 1."""
    if len(relative) == 1:
        return np.ones(relative.shape[1:], np.uint8)
    likeliest: Bytes = (relative.argmax(axis=0) + 1).astype(np.uint8)
    return likeliest


def _softmax(relative: FloatArray, best: FloatArray) -> FloatArray:
    """Return softmax over the background's 0 and the classes' relative logits, without the background."""
    top = np.maximum(best, 0)
    powers = np.exp(relative - top)
    powers /= powers.sum(axis=0) + np.exp(-top)
    return powers


def _entropy(probabilities: FloatArray, relative: FloatArray, best: FloatArray) -> Bytes:
    """Return the entropy as a share of the largest possible one, × 255.

    With the background's logit 0 it is log(1 + sum of exp(logit)) minus the mean logit.
    """
    top = np.maximum(best, 0)
    entropy = top + np.log(np.exp(relative - top).sum(axis=0) + np.exp(-top))
    for share, logit in zip(probabilities, relative, strict=True):
        entropy -= share * logit
    entropy *= np.float32(1 / np.log(len(relative) + 1))
    return _bytes(np.clip(entropy, 0, 1, out=entropy))


def _bytes(share: FloatArray) -> Bytes:
    """Round 0…1 to 0…255."""
    scaled = share * np.float32(255)
    scaled += np.float32(0.5)
    return scaled.astype(np.uint8)
