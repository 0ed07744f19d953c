"""Let the image correct the border between painted slices, in a band around it.

The interpolated shape and what the image says (``image_evidence.py``) are added up, so without contrast the shape
stands. Seeds are the painted slices and what lies surely inside or outside.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.image_evidence import image_evidence
from napari_medpatch.annotate.signed_distance import Bools, FloatArray
from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.geometry import split_axis

_CELLS = 4
"""Of half a band's width, at least."""
_VOXELS = 200_000
"""Of one linear system with its seeds: some 100 MB."""
_DEEPEST = 0.5
"""Share of a class's depth in a slice that may be doubted, so that thin parts keep seeds."""
_NARROWEST, _WIDEST = 4.0, 20.0
"""Half the width of the band, mm, unless the user says otherwise."""
_MOST_SCORE = 10.0


@dataclass(frozen=True, slots=True)
class Slab:
    """Slices between two painted ones, and these.

    Parameters
    ----------
    image : ndarray
        ``(slices, rows, columns)``.
    labels : ndarray
        uint8 label values of all voxels: painted ones, and the interpolated shape elsewhere.
    doubtful : ndarray of bool
        Unpainted voxels in the band.
    scores : ndarray
        ``(values, voxels)`` float16: how far each doubtful voxel lies inside each value, in bands.
    values : tuple of int
        Label values of the rows of ``scores``.
    spacing : tuple of float
        Voxel size, mm.
    band_mm : float
        Half the width of the band, where it is widest.
    thin_mm : float
        The same of the class whose parts are thinnest.
    """

    image: npt.NDArray[np.generic]
    labels: LabelArray
    doubtful: Bools
    scores: npt.NDArray[np.float16]
    values: tuple[int, ...]
    spacing: tuple[float, ...]
    band_mm: float
    thin_mm: float

    @property
    def step(self) -> int:
        """Pixels per cell in which the image is asked: a wide band need not be asked pixel by pixel."""
        return max(1, int(self.thin_mm / max(self.spacing[1:]) / _CELLS))


def band_width(slices: int, thickness: float) -> float:
    """Return half the width of the band in a slice, mm: half the way to the nearest painted slice, 4 to 20 mm.

    Parameters
    ----------
    slices : int
        To the nearest painted one.
    thickness : float
        Of a slice, mm.
    """
    return min(max(_NARROWEST, 0.5 * slices * thickness), _WIDEST)


def doubtful(scores: FloatArray, winners: LabelArray, band_mm: float) -> tuple[Bools, dict[int, float]]:
    """Return the pixels of a slice whose border the image may move, and how far in each class.

    Parameters
    ----------
    scores : ndarray
        ``(values, rows, columns)`` float32, mm.
    winners : ndarray
        Label value of each pixel.
    band_mm : float
        Half the width of the band; less in thin parts.
    """
    first, second = (np.partition(scores, -n, axis=0)[-n] for n in (1, 2))
    depth = (first - second) / 2
    limit, limits = np.zeros(depth.shape, np.float32), {}
    for value in np.unique(winners).tolist():
        inside = winners == value
        limits[value] = min(band_mm, _DEEPEST * float(depth[inside].max()))
        limit[inside] = limits[value]
    return np.asarray(depth < limit), limits


def tiles(slab: Slab) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Yield ``(window, core)`` pieces of a slab that hold doubtful voxels: what is solved, and what of it is kept.

    Neighbours overlap by half the band's width on either side, beyond which seeds decide.
    """
    step = slab.step
    margin = step * (2 + math.ceil(slab.band_mm / min(slab.spacing[1:]) / step))
    edge = step * int(max(2 * margin, step * math.sqrt(_VOXELS / len(slab.labels))) / step)
    height, width = slab.labels.shape[1:]
    for top, bottom in split_axis(height, edge):
        for left, right in split_axis(width, edge):
            core = (slice(None), slice(top, bottom), slice(left, right))
            if slab.doubtful[core].any():
                rows = slice(max(0, top - margin), min(height, bottom + margin))
                columns = slice(max(0, left - margin), min(width, right + margin))
                yield (slice(None), rows, columns), core


def walk(slab: Slab, window: tuple[slice, ...]) -> LabelArray:
    """Return the labels of a window of a slab, corrected by the image.

    Parameters
    ----------
    slab : Slab
        Not changed.
    window : tuple of slice
        As :func:`tiles` yields it.
    """
    labels, unsure = slab.labels[window].copy(), slab.doubtful[window]
    found = image_evidence(slab.image[window], labels, unsure, slab.values, slab.spacing, slab.step)
    if found is None:
        return labels
    inside = np.zeros(slab.doubtful.shape, bool)
    inside[window] = unsure
    shape = slab.scores[:, inside[slab.doubtful]].astype(np.float32)
    score = found + shape.clip(-_MOST_SCORE, _MOST_SCORE)
    labels[unsure] = np.asarray(slab.values, np.uint8)[score.argmax(axis=0)]
    return labels
