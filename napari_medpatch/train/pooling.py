"""Painted labels on the working grid: each working voxel takes the majority of what is painted in it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.infer.working_grid import AxisMap, WorkingGrid


def pool_labels(labels: LabelArray, grid: WorkingGrid, downsample: Sequence[float], num_classes: int) -> LabelArray:
    """Bring sparse labels to the working grid.

    Along an axis where working voxels are larger, those painted inside vote and unlabelled ones have no
    vote, so that thin strokes survive; where they are smaller, each takes the label it lies in.

    Parameters
    ----------
    labels : ndarray
        uint8, 0 unlabelled.
    grid : WorkingGrid
        Over the image.
    downsample : sequence of float
        Image voxels per label voxel, per axis; 1 unless the labels are a coarse raster of a slide.
    num_classes : int
        Classes, background included.

    Returns
    -------
    ndarray
        uint8, shape ``grid.shape``. Of classes with equal votes the first wins.
    """
    if grid.identity and labels.shape == grid.shape:
        return labels.copy()
    steps = [axis.step / down for axis, down in zip(grid.axes, downsample, strict=True)]
    for axis, (mapping, step) in enumerate(zip(grid.axes, steps, strict=True)):
        if step < 1:
            labels = np.take(labels, _nearest(mapping, downsample[axis], labels.shape[axis]), axis=axis)
    homes = [
        np.arange(labels.shape[axis]) if steps[axis] < 1 else _home(mapping, downsample[axis], labels.shape[axis])
        for axis, mapping in enumerate(grid.axes)
    ]
    return _vote(labels, homes, grid.shape, num_classes)


def _nearest(mapping: AxisMap, downsample: float, size: int) -> npt.NDArray[np.int64]:
    """Return the label index that each working voxel's centre lies in."""
    centres = mapping.origin + mapping.step * np.arange(mapping.working)
    return np.asarray(np.clip(np.floor((centres + 0.5) / downsample), 0, size - 1), np.int64)


def _home(mapping: AxisMap, downsample: float, size: int) -> npt.NDArray[np.int64]:
    """Return the working index that each label voxel's centre lies in."""
    centres = (np.arange(size) + 0.5) * downsample - 0.5
    index = np.rint((centres - mapping.origin) / mapping.step)
    return np.asarray(np.clip(index, 0, mapping.working - 1), np.int64)


def _vote(
    labels: LabelArray, homes: Sequence[npt.NDArray[np.int64]], shape: tuple[int, ...], num_classes: int
) -> LabelArray:
    """Count votes slab by slab; the painted voxels of a whole volume would take gigabytes as indices."""
    votes = np.zeros((num_classes, *shape), np.uint16)
    flat = votes.reshape(num_classes, shape[0], -1)
    for index, part in enumerate(labels):
        where = np.nonzero(part)
        if not where[0].size:
            continue
        inner = np.ravel_multi_index([home[i] for home, i in zip(homes[1:], where, strict=True)], shape[1:])
        values = part[where]
        for value in np.unique(values):
            counts = np.bincount(inner[values == value], minlength=flat.shape[2])
            flat[value - 1, homes[0][index]] += counts.astype(np.uint16)
    winner = votes.argmax(axis=0) + 1
    return np.where(votes.max(axis=0) > 0, winner, 0).astype(np.uint8)
