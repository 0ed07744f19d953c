"""Coarser copies of a volume, piece by piece: what a graphics card can hold."""

from collections.abc import Generator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import split_axis
from napari_medpatch.io.source import AnyArray

_PIECE_VOXELS = 4_000_000


def coarse_steps(
    shape: Sequence[int], spacing: Sequence[float], max_voxels: float, max_side: float = np.inf
) -> tuple[int, ...]:
    """Return how many voxels a cell takes in along each axis.

    Parameters
    ----------
    shape : sequence of int
        Of the volume.
    spacing : sequence of float
        Size of a voxel; the finest axis is coarsened first, so that cells become nearly cubic.
    max_voxels, max_side : float
        Bounds of the coarse volume, as a whole and along each axis.
    """
    steps = [max(1, int(np.ceil(n / max_side))) for n in shape]
    while np.prod([-(-n // s) for n, s in zip(shape, steps, strict=True)], dtype=float) > max_voxels:
        open_axes = [axis for axis, n in enumerate(shape) if steps[axis] < n]
        if not open_axes:
            break
        steps[min(open_axes, key=lambda axis: steps[axis] * spacing[axis])] += 1
    return tuple(steps)


def coarse_volume(
    volume: AnyArray, steps: Sequence[int], rule: Literal["mean", "max"] = "mean"
) -> Generator[float, None, npt.NDArray[Any]]:
    """Average a volume over cells, in steps of a few hundredths of a second; yields the share that is done.

    Parameters
    ----------
    volume : ndarray
        ``(Z, Y, X)``.
    steps : sequence of int
        Voxels per cell; cells at the far ends may be cut off.
    rule : str
        ``"mean"`` for values; ``"max"`` for masks, so that thin structures stay.

    Returns
    -------
    ndarray
        Of the same type as the volume; whole numbers are rounded.
    """
    sizes = [-(-n // s) for n, s in zip(volume.shape, steps, strict=True)]
    result = np.empty(sizes, volume.dtype)
    per_piece = max(1, _PIECE_VOXELS // max(1, steps[0] * volume.shape[1] * volume.shape[2]))
    for start, stop in split_axis(sizes[0], per_piece):
        piece = volume[start * steps[0] : stop * steps[0]]
        result[start:stop] = _reduced(np.asarray(piece), steps, rule, volume.dtype)
        yield stop / sizes[0]
    return result


def _reduced(
    piece: AnyArray, steps: Sequence[int], rule: Literal["mean", "max"], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """Reduce along one axis after the other; the mean counts only voxels that are there."""
    if rule == "max":
        for axis, step in enumerate(steps):
            piece = np.maximum.reduceat(piece, np.arange(0, piece.shape[axis], step), axis=axis)
        return piece
    total: npt.NDArray[Any] = piece.astype(np.float32)
    for axis, step in enumerate(steps):
        begins = np.arange(0, total.shape[axis], step)
        counts = np.diff(begins, append=total.shape[axis]).astype(np.float32)
        total = np.add.reduceat(total, begins, axis=axis) / np.expand_dims(counts, [a for a in range(3) if a != axis])
    return np.rint(total).astype(dtype) if np.issubdtype(dtype, np.integer) else total.astype(dtype)
