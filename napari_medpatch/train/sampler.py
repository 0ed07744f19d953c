"""Where patches are taken."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.train.targets import Targets


class PatchSampler:
    """Draws patches around labelled pixels, every class as often as the others.

    Where estimates exist, every other patch is centred on a pixel whose class is nearly certain, painted or
    not, so that the network sees the whole image and not only the slices that were painted.

    Parameters
    ----------
    targets : Targets
        Of the image.
    patch : tuple of int
        Shape of a patch, nowhere larger than the image.
    """

    def __init__(self, targets: Targets, patch: Sequence[int]) -> None:
        self.patch = tuple(patch)
        self.shape = targets.labels.shape
        self._centres = [_by_class(targets.labels)]
        if (targets.weight[targets.labels == 0] > 0).any():
            self._centres.append(_by_class(targets.sure()))
        self._drawn = 0

    def draw(self, generator: np.random.Generator) -> Box:
        """Return the next patch."""
        lists = self._centres[self._drawn % len(self._centres)]
        self._drawn += 1
        pixels = lists[generator.integers(len(lists))]
        centre = np.unravel_index(int(pixels[generator.integers(len(pixels))]), self.shape)
        start = []
        for middle, size, full in zip(centre, self.patch, self.shape, strict=True):
            jitter = int(generator.integers(-(size // 8), size // 8 + 1))
            start.append(min(max(0, int(middle) + jitter - size // 2), full - size))
        return Box(tuple(start), tuple(a + n for a, n in zip(start, self.patch, strict=True)))


def _by_class(labels: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.intp]]:
    """Return the flat indices of each class that occurs."""
    return [np.flatnonzero(labels == value) for value in np.unique(labels[labels > 0])]
