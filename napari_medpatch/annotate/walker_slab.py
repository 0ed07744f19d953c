"""Let the image correct the border between painted slices: a random walker on a band around it.

Random walker (Grady 2006, scikit-image) with the painted slices and what lies surely inside or outside as
seeds. Left to itself it draws borders to the middle of the band and shrinks what is round, also where the
image shows nothing. So its probabilities are divided by those of the same walker on an image without contrast,
and what is left, the image's own say, is added to the interpolated shape: without contrast the shape stands.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.signed_distance import Bools, FloatArray
from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.blas_threads import one_blas_thread
from napari_medpatch.geometry import split_axis

# On lungs, lobes, a sarcoma and two lung tumours, this gave more than 0.1 or 0.3 on some and less on none.
_CONTRAST = 0.2
"""Step of intensity, as a share of the range around the border, across which walks are e times rarer."""
_TOLERANCE = 1e-2
_VOXELS = 400_000
"""Of one linear system with its seeds: some 200 MB."""
_DEEPEST = 0.5
"""Share of a class's depth in a slice that may be doubted, so that thin parts keep seeds."""
_NARROWEST, _WIDEST = 4.0, 20.0
"""Half the width of the band, mm, unless the user says otherwise."""
_LEAST = 1e-3
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
    """

    image: npt.NDArray[np.generic]
    labels: LabelArray
    doubtful: Bools
    scores: npt.NDArray[np.float16]
    values: tuple[int, ...]
    spacing: tuple[float, ...]
    band_mm: float


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


def doubtful(scores: FloatArray, winners: LabelArray, band_mm: float) -> Bools:
    """Return the pixels of a slice whose border the image may move.

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
    limit = np.full(depth.shape, band_mm, np.float32)
    for value in np.unique(winners):
        inside = winners == value
        limit[inside] = min(band_mm, _DEEPEST * float(depth[inside].max()))
    return np.asarray(depth < limit)


def tiles(slab: Slab) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Yield ``(window, core)`` pieces of a slab that hold doubtful voxels: what is solved, and what of it is kept.

    Neighbours overlap by twice the band's width on either side, beyond which seeds decide.
    """
    margin = 2 + math.ceil(2 * slab.band_mm / min(slab.spacing[1:]))
    edge = max(2 * margin, int(math.sqrt(_VOXELS / len(slab.labels))))
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
    seeds, image = _seeds(slab, window), _contrast(slab.image[window], unsure)
    present = np.unique(seeds[seeds > 0])
    if len(present) < 2 or image is None:
        return labels
    seen = _probabilities(image, seeds, slab.spacing, 10 * float(image.std()) / _CONTRAST**2)
    blind = _probabilities(image, seeds, slab.spacing, 0.0)
    inside = np.zeros(slab.doubtful.shape, bool)
    inside[window] = unsure
    rows = np.searchsorted(slab.values, present)
    shape = slab.scores[rows][:, inside[slab.doubtful]].astype(np.float32)
    score = np.log(seen[:, unsure] / blind[:, unsure]) + shape.clip(-_MOST_SCORE, _MOST_SCORE)
    labels[unsure] = present[score.argmax(axis=0)]
    return labels


def _seeds(slab: Slab, window: tuple[slice, ...]) -> npt.NDArray[np.int16]:
    """Return scikit-image's markers: 0 to be found, values beside the band as seeds, -1 for the rest."""
    from scipy.ndimage import binary_dilation

    labels, unsure = slab.labels[window], slab.doubtful[window]
    near = binary_dilation(unsure, np.ones((3, 3, 3), bool)) & np.isin(labels, slab.values)
    return np.where(unsure, np.int16(0), np.where(near, labels.astype(np.int16), np.int16(-1)))


def _contrast(image: npt.NDArray[np.generic], unsure: Bools) -> FloatArray | None:
    """Return the image, 0…1 over the intensities in the band; None if it is flat there."""
    values = image.astype(np.float32)
    low, high = np.percentile(values[unsure], (2, 98))
    if high <= low:
        return None
    return np.asarray((values.clip(low, high) - low) / (high - low), np.float32)


def _probabilities(
    image: FloatArray, seeds: npt.NDArray[np.int16], spacing: Sequence[float], beta: float
) -> FloatArray:
    """Return ``(values, *shape)`` float32 of the values among the seeds."""
    from skimage.segmentation import random_walker

    with one_blas_thread():
        found = random_walker(
            image,
            seeds,
            beta=beta,
            mode="cg_j",
            tol=_TOLERANCE,
            spacing=np.asarray(spacing) / min(spacing),
            return_full_prob=True,
            # The tolerance leaves some probabilities a little outside 0…1; only their ratios count.
            prob_tol=1.0,
        )
    return np.asarray(found.clip(_LEAST, 1), np.float32)
