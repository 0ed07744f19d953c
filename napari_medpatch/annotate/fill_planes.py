"""Labels of the slices between painted ones, one slice after the other, by shape or by shape and image."""

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.shape_planes import ShapePlanes
from napari_medpatch.annotate.signed_distance import FloatArray
from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.annotate.walker_slab import Slab, band_width, doubtful, tiles, walk
from napari_medpatch.patience import patiently

FilledPlane: TypeAlias = tuple[int, LabelArray]
ReadSlab: TypeAlias = Callable[[int, int], npt.NDArray[np.generic]]


def fill_by_shape(shape: ShapePlanes) -> Iterator[FilledPlane | None]:
    """Yield each slice's label values in the window of ``shape``, and None while that takes."""
    for index in range(shape.first, shape.last + 1):
        scores = yield from _scores(shape, index)
        yield index, shape.winners(scores)


def fill_by_image(
    shape: ShapePlanes,
    planes: LabelArray,
    painted: Sequence[int],
    read: ReadSlab,
    *,
    spacing: tuple[float, ...],
    band_mm: float | None,
) -> Iterator[FilledPlane | None]:
    """Yield slices as :func:`fill_by_shape`, their borders moved by the image.

    Slabs from painted slice to painted slice are solved one after the other, so memory is bounded by the largest.

    Parameters
    ----------
    shape : ShapePlanes
        What the image corrects.
    planes : ndarray
        ``(slices, rows, columns)`` uint8 sparse labels.
    painted : sequence of int
        Indices of painted slices.
    read : callable
        Returns the image from one slice to another, both included, in the window of ``shape``.
    spacing : tuple of float
        Voxel size in the order of ``planes``, mm.
    band_mm : float or None
        How far the border may move; None for what suits the distance to the painted slices.
    """
    stops = sorted({shape.first, shape.last, *(i for i in painted if shape.first <= i <= shape.last)})
    for before, after in pairwise(stops):
        here = planes[(slice(before, after + 1), *shape.window)]
        bands = [band_mm or band_width(min(place, after - before - place), spacing[0]) for place in range(len(here))]
        labels, unsure, scores, thin = yield from _doubts(shape, here, before, bands)
        if unsure.any():
            slab = Slab(read(before, after), labels.copy(), unsure, scores, shape.values, spacing, max(bands), thin)
            for window, core in tiles(slab):
                solved = yield from patiently(walk, slab, window)
                labels[core] = solved[_inside(core, window)]
        # The last slice is the first of the next slab, where it is the same.
        for place in range(len(labels) - (after != shape.last)):
            yield before + place, labels[place]


def _doubts(
    shape: ShapePlanes, painted: LabelArray, first: int, bands: Sequence[float]
) -> Generator[None, None, tuple[LabelArray, npt.NDArray[np.bool_], npt.NDArray[np.float16], float]]:
    """Return a slab's labels by shape, which of them the image may change, their scores, and the thinnest band, mm.

    The outermost slices are taken as they are: they are painted, or the end of what is asked for.
    """
    labels, unsure = np.empty_like(painted), np.zeros(painted.shape, bool)
    scores, widths = [np.empty((len(shape.values), 0), np.float16)], dict.fromkeys(shape.values, 0.0)
    for place, plane in enumerate(painted):
        found = yield from _scores(shape, first + place)
        winners = shape.winners(found)
        labels[place] = np.where(plane > 0, plane, winners)
        if 0 < place < len(painted) - 1:
            near, limits = doubtful(found, winners, bands[place])
            unsure[place] = near & (plane == 0)
            widths |= {value: max(width, widths[value]) for value, width in limits.items()}
            scores.append((found[:, unsure[place]] / bands[place]).astype(np.float16))
    thin = min((width for width in widths.values() if width), default=0.0)
    return labels, unsure, np.concatenate(scores, axis=1), thin


def _scores(shape: ShapePlanes, index: int) -> Generator[None, None, FloatArray]:
    return (yield from patiently(shape.scores, index))


def _inside(core: Sequence[slice], window: Sequence[slice]) -> tuple[slice, ...]:
    """Return a core's place in its window."""
    rows, columns = (
        slice(inner.start - outer.start, inner.stop - outer.start)
        for inner, outer in zip(core[1:], window[1:], strict=True)
    )
    return slice(None), rows, columns
