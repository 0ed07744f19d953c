"""Spatial sense for an estimate: what hangs together with paint, and where borders run."""

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.train.features import FloatArray

_SURE = 0.85
_EDGE_WEIGHT = 1000


def unanchored(estimate: npt.NDArray[np.integer], labels: LabelArray) -> npt.NDArray[np.bool_]:
    """Return foreground that does not hang together with paint of its class.

    Parameters
    ----------
    estimate : ndarray
        Mask, 0 background.
    labels : ndarray
        Sparse labels of the same shape. A class without paint anchors nothing and is left alone.
    """
    from scipy.ndimage import label

    loose = np.zeros(estimate.shape, bool)
    for value in np.unique(estimate[estimate > 0]):
        painted = labels == value + 1
        if not painted.any():
            continue
        pieces, count = label(estimate == value)
        held = np.zeros(count + 1, bool)
        held[np.unique(pieces[painted])] = True
        held[0] = True
        loose |= ~held[pieces]
    return loose


def anchor(probabilities: FloatArray, labels: LabelArray) -> FloatArray:
    """Return probabilities with every piece that does not touch paint of its class made background."""
    loose = unanchored(probabilities.argmax(axis=0), labels)
    result = probabilities.copy()
    result[:, loose] = 0
    result[0, loose] = 1
    return result


def random_walk(image: FloatArray, probabilities: FloatArray, labels: LabelArray) -> FloatArray:
    """Settle uncertain voxels by a random walk that avoids edges (Grady 2006).

    Walkers start where no class reaches 0.85 and stop at paint or where one does.

    Parameters
    ----------
    image : ndarray
        ``(Z, Y, X)`` float32, 0…1.
    probabilities : ndarray
        ``(C, Z, Y, X)``.
    labels : ndarray
        Sparse labels.

    Returns
    -------
    ndarray
        ``(C, Z, Y, X)`` float32; the input if nothing is uncertain or some class has no seed.
    """
    from skimage.segmentation import random_walker

    seeds = np.where(probabilities.max(axis=0) > _SURE, probabilities.argmax(axis=0) + 1, 0)
    seeds = np.where(labels > 0, labels, seeds).astype(np.int32)
    present = np.unique(seeds)
    if not np.array_equal(present, np.arange(len(probabilities) + 1)):
        return probabilities
    # A rough solution overshoots here and there; it is clipped, and only its largest class matters much.
    walked = random_walker(
        image, seeds, beta=_EDGE_WEIGHT, mode="cg_j", tol=1e-2, prob_tol=np.inf, return_full_prob=True
    )
    clipped = np.clip(walked, 1e-6, 1)
    return np.asarray(clipped / clipped.sum(axis=0), np.float32)


def paint_over(probabilities: FloatArray, labels: LabelArray) -> FloatArray:
    """Return probabilities with painted pixels certain."""
    result = probabilities.copy()
    painted = labels > 0
    result[:, painted] = 0
    for index in range(len(result)):
        result[index][labels == index + 1] = 1
    return result
