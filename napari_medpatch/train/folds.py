"""Parts of the paint to hold out, so that estimates are scored on labels they have not seen."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.sparse import LabelArray

Bools = npt.NDArray[np.bool_]
_WHOLE = 0.2
"""Share of a slice that must be painted for the rest to be taken as outside every object."""
_GROUPS = 4


@dataclass(frozen=True, slots=True)
class PaintedSlices:
    """Neighbouring painted slices across one axis: one slice of the image, or what it became on the grid.

    Parameters
    ----------
    axis : int
        Across which the slices follow each other.
    start, stop : int
        Range of indices.
    """

    axis: int
    start: int
    stop: int

    def mask(self, shape: Sequence[int]) -> Bools:
        """Return the voxels of these slices."""
        result = np.zeros(shape, bool)
        result[(slice(None),) * self.axis + (slice(self.start, self.stop),)] = True
        return result


def painted_slices(labels: LabelArray) -> list[PaintedSlices]:
    """Return the slices that were painted as a whole, across every axis of a volume; none in 2D."""
    return [part for axis in range(labels.ndim if labels.ndim == 3 else 0) for part in _across(labels, axis)]


def _across(labels: LabelArray, axis: int) -> list[PaintedSlices]:
    others = tuple(a for a in range(3) if a != axis)
    share = np.count_nonzero(labels, axis=others) / (labels.size / labels.shape[axis])
    # Slices painted across one axis cross all slices of the others, which are not painted whole for that.
    whole = np.flatnonzero(share >= max(_WHOLE, min(0.95, 1.5 * float(share.mean()))))
    runs = np.split(whole, np.flatnonzero(np.diff(whole) > 1) + 1)
    return [PaintedSlices(axis, int(run[0]), int(run[-1]) + 1) for run in runs if len(run)]


@dataclass(frozen=True, slots=True)
class Fold:
    """Labels without a part of them.

    Parameters
    ----------
    held : ndarray of bool
        Painted pixels that are held out.
    axis, index : int
        A slice through them, for sampling; axis -1 when strokes are held out.
    """

    held: Bools
    axis: int
    index: int

    def rest(self, labels: LabelArray) -> LabelArray:
        """Return the labels that are left."""
        return np.where(self.held, 0, labels).astype(np.uint8)


def make_folds(labels: LabelArray, slices: Sequence[PaintedSlices], most: int) -> list[Fold]:
    """Return what to hold out in turn: whole slices if there are several, groups of strokes otherwise.

    Slices without any class are no use as a test: what lies beyond the painted end is asked nowhere. A
    fold must leave some paint of every class.

    Parameters
    ----------
    labels : ndarray
        Sparse labels.
    slices : sequence of PaintedSlices
        Of these labels.
    most : int
        Number of folds, at most; then they are spread evenly.
    """
    folds = _slice_folds(labels, slices) if len(slices) > 1 else _stroke_folds(labels)
    painted = np.unique(labels[labels > 0])
    usable = [fold for fold in folds if np.array_equal(np.unique(_left(fold, labels)), painted)]
    if len(usable) <= most:
        return usable
    return [usable[i] for i in np.linspace(0, len(usable) - 1, most).round().astype(int)]


def held_out(folds: Sequence[Fold], name: str, least: int = 4) -> Fold | None:
    """Return the fold that scores the network, None if there are fewer than ``least``.

    The first and the last slice across an axis are not chosen: they cut the tips of objects, where a few
    pixels decide the score. The choice among the others depends on the image and the place only, so a slice
    that was held out stays so when the model is trained again on more paint.

    Parameters
    ----------
    folds : sequence of Fold
        As :func:`make_folds` returns them.
    name : str
        Of the image.
    least : int
        Below that many, every slice is needed for training.
    """
    inner = [fold for fold in folds if not _outermost(fold, folds)]
    if len(folds) < least or not inner:
        return None
    return min(inner, key=lambda fold: hashlib.sha256(f"{name} {fold.axis} {fold.index}".encode()).digest())


def _outermost(fold: Fold, folds: Sequence[Fold]) -> bool:
    indices = [other.index for other in folds if other.axis == fold.axis]
    return fold.axis >= 0 and fold.index in (min(indices), max(indices))


def _slice_folds(labels: LabelArray, slices: Sequence[PaintedSlices]) -> list[Fold]:
    masks = [part.mask(labels.shape) for part in slices]
    times = np.sum(masks, axis=0, dtype=np.uint8)
    folds = []
    for part, mask in zip(slices, masks, strict=True):
        # Where another painted slice crosses, the paint is that slice's too and stays.
        held = mask & (labels > 0) & (times == 1)
        if (labels[held] > 1).any():
            folds.append(Fold(held, part.axis, (part.start + part.stop) // 2))
    return folds


def _stroke_folds(labels: LabelArray) -> list[Fold]:
    """Deal the strokes of each class, in order of their place, to a few groups."""
    from scipy.ndimage import label

    group = np.zeros(labels.shape, np.uint8)
    structure = np.ones((3,) * labels.ndim, bool)
    fewest = _GROUPS
    for value in np.unique(labels[labels > 0]):
        strokes, count = label(labels == value, structure=structure)
        fewest = min(fewest, count)
        deal = np.concatenate([[0], np.arange(count) % _GROUPS + 1]).astype(np.uint8)
        group = np.maximum(group, deal[strokes])
    if fewest < 2:
        return []
    return [Fold(group == n, -1, n) for n in range(1, fewest + 1)]


def _left(fold: Fold, labels: LabelArray) -> LabelArray:
    rest = labels[~fold.held]
    return rest[rest > 0]
