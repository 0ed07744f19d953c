"""Values between an image's own grid and a model's working grid, for inference and training alike.

Values between voxels are linear; going to a coarser grid averages them (:mod:`napari_medpatch.infer.working_grid`). A
value depends on its place alone, so an image resampled in pieces equals the image resampled whole.
"""

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.blas_threads import one_blas_thread
from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.infer.working_grid import AxisMap, FloatArray, Weights, WorkingGrid

_ROWS = 64
_SLAB_VOXELS = 1_000_000


def gather_steps(read: Callable[[int, int], npt.NDArray[Any]], grid: WorkingGrid) -> Generator[float, None, FloatArray]:
    """Resample an image that is read slab by slab along its first axis.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns that range of the first axis.
    grid : WorkingGrid
        What to make.

    Yields
    ------
    float
        Share done.

    Returns
    -------
    ndarray
        float32, shape ``grid.shape``.
    """
    first, *rest = grid.axes
    inner = Box.whole([axis.working for axis in rest])
    middle = np.empty((first.source, *inner.shape), np.float32)
    rows = max(1, _SLAB_VOXELS // math.prod(grid.source_shape[1:]))
    for start, stop in split_axis(first.source, rows):
        middle[start:stop] = gather(read(start, stop), rest, inner)
        yield 0.8 * stop / first.source
    if first.identity:
        return middle
    result = np.empty(grid.shape, np.float32)
    across = max(1, _SLAB_VOXELS * inner.shape[0] // middle.size)
    for start, stop in split_axis(inner.shape[0], across):
        result[:, start:stop] = gather(middle[:, start:stop], [first], Box((0,), (first.working,)), axis=0)
        yield 0.8 + 0.2 * stop / inner.shape[0]
    return result


def gather(
    values: npt.NDArray[Any],
    axes: Sequence[AxisMap],
    box: Box,
    *,
    offset: Sequence[int] | None = None,
    axis: int | None = None,
) -> FloatArray:
    """Make a box of working voxels from image voxels.

    Parameters
    ----------
    values : ndarray
        Image voxels, spatial axes last (or from ``axis`` on), beginning at image index ``offset``.
    axes : sequence of AxisMap
        One per spatial axis.
    box : Box
        Wanted working voxels; may lie outside the grid, where the border is repeated.
    offset : sequence of int, optional
        0 by default.
    axis : int, optional
        First spatial axis of ``values``; the last ones by default.
    """
    first = values.ndim - len(axes) if axis is None else axis
    offsets = offset if offset is not None else (0,) * len(axes)
    result = values.astype(np.float32, copy=False)
    for index, mapping in enumerate(axes):
        wanted = (box.start[index], box.stop[index])
        if not (mapping.identity and wanted == (0, mapping.working)):
            result = _along(result, first + index, wanted, mapping.gather, offsets[index])
    return result


def from_working(
    values: FloatArray, grid: WorkingGrid, box: Box | None = None, *, origin: Sequence[int] | None = None
) -> FloatArray:
    """Bring values of the working grid to a box of the image's grid.

    Parameters
    ----------
    values : ndarray
        ``(C, *working)`` float32, or part of it that begins at working index ``origin``.
    grid : WorkingGrid
        The working grid.
    box : Box, optional
        Of image voxels, not empty; all by default.
    origin : sequence of int, optional
        0 by default.

    Returns
    -------
    ndarray
        ``(C, *box.shape)`` float32, linear between working voxels.
    """
    box = box if box is not None else Box.whole(grid.source_shape)
    origins = origin if origin is not None else (0,) * len(grid.axes)
    result = values
    for index, mapping in enumerate(grid.axes):
        wanted = (box.start[index], box.stop[index])
        if mapping.identity:
            keep = slice(wanted[0] - origins[index], wanted[1] - origins[index])
            result = result[(slice(None),) * (index + 1) + (keep,)]
        else:
            result = _along(result, index + 1, wanted, mapping.scatter, origins[index])
    return np.ascontiguousarray(result)


def _along(
    values: FloatArray, axis: int, wanted: tuple[int, int], weigh: Callable[[int, int], Weights], offset: int
) -> FloatArray:
    """Apply weights along one axis, a few rows at a time because the matrix is banded."""
    before, size, after = math.prod(values.shape[:axis]), values.shape[axis], math.prod(values.shape[axis + 1 :])
    flat = np.ascontiguousarray(values).reshape(before, size, after)
    result = np.empty((before, wanted[1] - wanted[0], after), np.float32)
    with one_blas_thread():
        for a, b in split_axis(wanted[1] - wanted[0], _ROWS):
            lo, hi, weights = weigh(wanted[0] + a, wanted[0] + b)
            part = flat[:, lo - offset : hi - offset]
            if after == 1:
                result[:, a:b, 0] = part[..., 0] @ weights.T
            else:
                np.matmul(weights, part, out=result[:, a:b])
    return result.reshape(*values.shape[:axis], wanted[1] - wanted[0], *values.shape[axis + 1 :])
