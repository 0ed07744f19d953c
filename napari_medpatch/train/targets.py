"""What a network should say about each pixel, and how much that pixel counts."""

from dataclasses import dataclass

import numpy as np

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.train.features import FloatArray

_UNLABELLED_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets of one image.

    Parameters
    ----------
    labels : ndarray
        ``(*spatial)`` uint8 sparse labels.
    classes : ndarray
        ``(C, *spatial)`` float32, probability of each class.
    weight : ndarray
        ``(*spatial)`` float32, 0 where nothing is known.
    """

    labels: LabelArray
    classes: FloatArray
    weight: FloatArray

    def class_weight(self) -> FloatArray:
        """Return one weight per class, 1 over the square root of its frequency, mean 1."""
        amount = np.array([float((part * self.weight).sum()) for part in self.classes])
        share = np.maximum(amount / max(amount.sum(), 1e-9), 1e-4)
        result = np.where(amount > 0, share**-0.5, 0)
        return np.asarray(result / result[amount > 0].mean(), np.float32)

    def sure(self) -> LabelArray:
        """Return labels of painted and of nearly certain pixels, 0 elsewhere."""
        likely = (self.classes.argmax(axis=0) + 1).astype(np.uint8)
        return np.where((self.weight > 0) & (self.classes.max(axis=0) > 0.9), likely, 0).astype(np.uint8)


def make_targets(labels: LabelArray, num_classes: int, estimate: FloatArray | None = None) -> Targets:
    """Return targets: painted pixels count fully, estimated ones by the square of their confidence.

    Parameters
    ----------
    labels : ndarray
        Sparse labels.
    num_classes : int
        Background included.
    estimate : ndarray, optional
        ``(C, *spatial)`` float32 probabilities; without it unlabelled pixels do not count.
    """
    painted = labels > 0
    classes = np.zeros((num_classes, *labels.shape), np.float32) if estimate is None else estimate.copy()
    for index in range(num_classes):
        classes[index][painted] = labels[painted] == index + 1
    weight = painted.astype(np.float32)
    if estimate is not None:
        chance = 1 / num_classes
        confidence = (estimate.max(axis=0) - chance) / (1 - chance)
        weight = np.where(painted, weight, _UNLABELLED_WEIGHT * confidence**2).astype(np.float32)
    return Targets(labels, classes, weight)
