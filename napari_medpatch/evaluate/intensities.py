"""Mean and spread of an image's values in the objects of a mask."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.components import Components
from napari_medpatch.evaluate.pieces import pieces_of
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
    wide = objects.count + 1
    counts, sums, squares = (np.zeros(wide) for _ in range(3))
    pieces = pieces_of(objects.labels)
    for done, ((_, _, labels), (_, _, values)) in enumerate(zip(pieces, pieces_of(image), strict=True), start=1):
        inside = (labels > 0) & np.isfinite(values)
        numbers, here = labels[inside], values[inside].astype(np.float64)
        counts += np.bincount(numbers, minlength=wide)
        sums += np.bincount(numbers, weights=here, minlength=wide)
        squares += np.bincount(numbers, weights=here * here, minlength=wide)
        yield done / len(pieces)
    return Intensities(counts, sums, squares)


def _mean_and_sd(count: float, total: float, squares: float) -> tuple[float, float]:
    if not count:
        return float("nan"), float("nan")
    mean = total / count
    return float(mean), float(np.sqrt(max(squares / count - mean * mean, 0.0)))
