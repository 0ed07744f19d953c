"""Mean and spread of an image's values in the objects of a mask."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.components import Components
from napari_medpatch.io.source import AnyArray


@dataclass(frozen=True, slots=True)
class Intensities:
    """Sums of values by object.

    Parameters
    ----------
    counts, sums, squares : ndarray
        (N + 1,) float64; entry 0 is 0.
    """

    counts: npt.NDArray[np.float64]
    sums: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]

    def of_object(self, number: int) -> tuple[float, float]:
        """Return mean and standard deviation (of the pixels, not of a sample of them) of one object."""
        return _mean_and_sd(self.counts[number], self.sums[number], self.squares[number])

    def of_all(self) -> tuple[float, float]:
        """Return mean and standard deviation of all objects together."""
        return _mean_and_sd(self.counts.sum(), self.sums.sum(), self.squares.sum())


def intensities(objects: Components, image: AnyArray) -> Generator[float, None, Intensities]:
    """Sum up an image's values by object, plane by plane; yields the share that is done.

    Parameters
    ----------
    objects : Components
        Of a mask.
    image : ndarray
        Shape of the objects' ``labels``, real numbers; values that are not finite are left out.
    """
    planes = objects.labels if objects.labels.ndim == 3 else objects.labels[None]
    values = image.reshape(planes.shape)
    counts, sums, squares = (np.zeros(objects.count + 1) for _ in range(3))
    for z, plane in enumerate(planes):
        inside = plane > 0
        here = values[z][inside].astype(np.float64)
        finite = np.isfinite(here)
        numbers, index = np.unique(plane[inside][finite], return_inverse=True)
        here = here[finite]
        counts[numbers] += np.bincount(index, minlength=len(numbers))
        sums[numbers] += np.bincount(index, weights=here, minlength=len(numbers))
        squares[numbers] += np.bincount(index, weights=here * here, minlength=len(numbers))
        yield (z + 1) / len(planes)
    return Intensities(counts, sums, squares)


def _mean_and_sd(count: float, total: float, squares: float) -> tuple[float, float]:
    if not count:
        return float("nan"), float("nan")
    mean = total / count
    return float(mean), float(np.sqrt(max(squares / count - mean * mean, 0.0)))
