"""Axes of volumes: from the file's grid to the one we show, and exactly back.

The file's grid is ``(i, j, k)`` with a 4 × 4 affine to world RAS+ millimetres. Ours is ``(Z, Y, X)`` along the
closest of the axes S, P and L: slices go up, rows from anterior to posterior, columns from the patient's right
to the left, so that a slice drawn with row 0 on top is the radiological view. Only axes are swapped and
turned round; voxels are never resampled, oblique affines included.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.io.source import AnyArray

Affine = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Orientation:
    """A permutation of axes with reversals: one of the 48.

    Parameters
    ----------
    order : tuple of int
        The file axis that becomes our z, y and x.
    flipped : tuple of bool
        Whether our z, y and x run against that file axis.
    """

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def to_canonical(self, array: AnyArray) -> AnyArray:
        """Return an ``(i, j, k)`` array as a ``(Z, Y, X)`` view."""
        return array.transpose(self.order)[self._steps]

    def to_file(self, array: AnyArray) -> AnyArray:
        """Return a ``(Z, Y, X)`` array as an ``(i, j, k)`` view; undoes :meth:`to_canonical`."""
        return array[self._steps].transpose(tuple(int(n) for n in np.argsort(self.order)))

    def canonical_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return the ``(Z, Y, X)`` shape of a file grid of ``shape``."""
        z, y, x = (int(shape[axis]) for axis in self.order)
        return z, y, x

    def index_map(self, shape: tuple[int, ...]) -> Affine:
        """Return the 4 × 4 map from our ``(x, y, z)`` index to the file's ``(i, j, k)``.

        Parameters
        ----------
        shape : tuple of int
            Of the file's grid.
        """
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for place, (axis, flip) in enumerate(zip(self.order, self.flipped, strict=True)):
            matrix[axis, 2 - place] = -1 if flip else 1
            matrix[axis, 3] = shape[axis] - 1 if flip else 0
        return matrix

    @property
    def _steps(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)


def closest_orientation(affine: Affine) -> Orientation:
    """Return the axis swap that brings a grid closest to (S, P, L).

    Parameters
    ----------
    affine : ndarray
        (4, 4), invertible, ``(i, j, k)`` to RAS+ mm.
    """
    from nibabel.orientations import io_orientation

    world = io_orientation(affine)
    order, flipped = [], []
    for axis, wanted in ((2, 1), (1, -1), (0, -1)):
        row = int(np.flatnonzero(world[:, 0] == axis)[0])
        order.append(row)
        flipped.append(bool(world[row, 1] != wanted))
    return Orientation((order[0], order[1], order[2]), (flipped[0], flipped[1], flipped[2]))


def orientation_from_matrix(matrix: Affine, tolerance: float = 0.1) -> Orientation | None:
    """Return the axis swap that an index-to-index matrix stands for, None if it is none.

    Parameters
    ----------
    matrix : ndarray
        (3, 3) or (4, 4), a file's ``(i, j, k)`` index to our ``(x, y, z)`` index.
    tolerance : float
        How far an element may be from −1, 0 or 1.
    """
    linear = matrix[:3, :3]
    signs = np.rint(linear)
    if np.abs(linear - signs).max() > tolerance or not np.array_equal(np.abs(signs) @ np.ones(3), np.ones(3)):
        return None
    if not np.array_equal(np.ones(3) @ np.abs(signs), np.ones(3)):
        return None
    axes = [int(np.flatnonzero(signs[row])[0]) for row in (2, 1, 0)]
    flips = [bool(signs[row, axis] < 0) for row, axis in zip((2, 1, 0), axes, strict=True)]
    return Orientation((axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]))


def voxel_sizes(affine: Affine) -> tuple[float, float, float]:
    """Return the length of a voxel along each of the three axes of an affine."""
    x, y, z = (float(n) for n in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))
    return x, y, z


def oblique_degrees(affine: Affine) -> float:
    """Return the largest angle between a grid axis and the world axis next to it."""
    directions = affine[:3, :3] / np.asarray(voxel_sizes(affine))
    cosines = np.clip(np.abs(directions).max(axis=0), 0, 1)
    return float(np.degrees(np.arccos(cosines)).max())


def axis_codes(affine: Affine) -> str:
    """Return the nearest world direction of each axis, such as ``"LPS"``."""
    from nibabel.orientations import aff2axcodes

    return "".join(aff2axcodes(affine))
