"""Where a patient is in a CT volume, so that the air around need not be segmented.

What is dense, in large connected pieces, counts as body: arms beside the trunk, two legs, and the table too.
Each slice keeps a rectangle around it, with a margin, so that lungs and bowel gas inside are in it. Where
tissue as thin as lung reaches a side of the volume, the field of view cuts through the patient, and nothing
is left out on that side.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box

_DENSE_HU = -700.0
_AIR_HU = -920.0
"""Air is -1000, healthy lung -850 on average."""
_LEAST_ML = 2.0
"""Smaller pieces are noise, tubes and wires; the tip of a finger is larger."""
_CUT_MM2 = 1000.0
"""Area of lung on a side of the volume that says that the patient goes on there."""
_MARGIN_MM = 20.0
"""Skin, hair and clothes, and what resampling blurs."""
_COARSE_MM = 4.0
"""Means over this edge tell air from noise."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Body:
    """A rectangle per slice, or none.

    Parameters
    ----------
    thickness : int
        Voxels along the first axis that share a rectangle.
    start, stop : ndarray
        ``(N, 2) int64``, rectangles in voxels of the other two axes; empty where there is no body.
    """

    thickness: int
    start: Ints
    stop: Ints

    def crop(self, box: Box) -> Box:
        """Return the part of a box that holds all of the body in it; an empty box if there is none."""
        first, last = box.start[0] // self.thickness, -(-box.stop[0] // self.thickness)
        rows = first + np.flatnonzero((self.stop[first:last] > self.start[first:last]).all(axis=1))
        if not len(rows):
            return Box(box.start, box.start)
        start = (int(rows[0]) * self.thickness, *self.start[rows].min(axis=0).tolist())
        stop = ((int(rows[-1]) + 1) * self.thickness, *self.stop[rows].max(axis=0).tolist())
        start = tuple(max(a, b) for a, b in zip(start, box.start, strict=True))
        stop = tuple(max(min(a, b), s) for a, b, s in zip(stop, box.stop, start, strict=True))
        return Box(start, stop)


def find_body(hu: npt.NDArray[Any], spacing: Sequence[float]) -> Body | None:
    """Find a patient.

    Parameters
    ----------
    hu : ndarray
        ``(Z, Y, X)`` HU.
    spacing : sequence of float
        Voxel size in mm.

    Returns
    -------
    Body or None
        None if nothing is dense enough: then the values are probably no HU.
    """
    step = [max(1, int(_COARSE_MM / s)) for s in spacing]
    edge = [s * n for s, n in zip(spacing, step, strict=True)]
    coarse = np.stack(list(_coarse(hu, step)))
    dense = _large_pieces(coarse > _DENSE_HU, _LEAST_ML * 1000 / float(np.prod(edge)))
    if not dense.any():
        return None
    start, stop = _rectangles(dense)
    _reach_cut_sides(coarse, edge, start, stop)
    margin = [int(np.ceil(_MARGIN_MM / e)) for e in edge]
    start, stop = _widened(start, stop, margin[0])
    body = stop[:, :1] > 0
    scale = np.array(step[1:])
    return Body(
        step[0],
        np.where(body, np.maximum(start - margin[1:], 0) * scale, 0),
        np.where(body, np.minimum((stop + margin[1:]) * scale, hu.shape[1:]), 0),
    )


def _coarse(hu: npt.NDArray[Any], step: Sequence[int]) -> Iterator[Floats]:
    """Yield slices of means over ``step`` voxels along each axis; at the end over as many as there are."""
    for first in range(0, hu.shape[0], step[0]):
        plane = hu[first : first + step[0]].mean(axis=0, dtype=np.float32)
        for axis in (0, 1):
            starts = np.arange(0, plane.shape[axis], step[axis + 1])
            count = np.diff(np.append(starts, plane.shape[axis])).astype(np.float32)
            plane = np.add.reduceat(plane, starts, axis=axis) / (count[:, None] if axis == 0 else count)
        # NaN, where a file has it, counts as air.
        yield np.nan_to_num(plane, nan=-1000.0)


def _large_pieces(dense: npt.NDArray[np.bool_], least: float) -> npt.NDArray[np.bool_]:
    from scipy.ndimage import label

    found, count = label(dense)
    large = np.bincount(found.ravel(), minlength=count + 1) >= least
    large[0] = False
    return np.asarray(large[found])


def _rectangles(mask: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return first and one past the last row and column of each slice; far outside and 0 where it is empty."""
    far = max(mask.shape)
    start, stop = (np.full((len(mask), 2), value, np.int64) for value in (far, 0))
    for axis in (0, 1):
        line: npt.NDArray[np.bool_] = np.any(mask, axis=2 - axis)
        rows = line.any(axis=1)
        start[rows, axis] = line[rows].argmax(axis=1)
        stop[rows, axis] = line.shape[1] - line[rows, ::-1].argmax(axis=1)
    return start, stop


def _reach_cut_sides(coarse: Floats, edge: Sequence[float], start: Ints, stop: Ints) -> None:
    """Let rectangles reach the sides of the volume on which there is lung; in place."""
    for axis in (0, 1):
        side = np.moveaxis(coarse, axis + 1, 0)
        least = _CUT_MM2 / (edge[0] * edge[2 - axis])
        if _lung(side[0]) >= least:
            start[:, axis] = np.where(stop[:, axis] > 0, 0, start[:, axis])
        if _lung(side[-1]) >= least:
            stop[:, axis] = np.where(stop[:, axis] > 0, coarse.shape[axis + 1], 0)


def _lung(plane: Floats) -> int:
    """Count what is denser than air and less dense than tissue; smoothed, for air is noisy."""
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(plane, 3, mode="nearest")
    return int(((smooth > _AIR_HU) & (smooth <= _DENSE_HU)).sum())


def _widened(start: Ints, stop: Ints, margin: int) -> tuple[Ints, Ints]:
    """Let each rectangle hold those of the ``margin`` slices before and after it."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    size = 2 * margin + 1
    return (
        minimum_filter1d(start, size, axis=0, mode="nearest"),
        maximum_filter1d(stop, size, axis=0, mode="nearest"),
    )
