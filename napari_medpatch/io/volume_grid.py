"""The grid of a volume: what its file calls axes and world, and how ours relates to it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.orientation import (
    Affine,
    Orientation,
    closest_orientation,
    oblique_degrees,
    voxel_sizes,
)
from napari_medpatch.io.source import AnyArray

OBLIQUE_FROM_DEGREES = 0.05
_SHEARED_BELOW = 1 - 1e-6


@dataclass(frozen=True, slots=True)
class VolumeGrid:
    """Where the voxels of a volume lie.

    Parameters
    ----------
    affine : ndarray
        (4, 4), the file's ``(i, j, k)`` index to RAS+ world, in the file's unit of length.
    shape : tuple of int
        Of the file's grid, three axes.
    orientation : Orientation
        From the file's grid to ours.
    header : nibabel header or None
        Of the file, for exports that must agree with it in every field.
    unit_mm : float
        Millimetres per unit of ``affine``.
    known : bool
        False when the position is made up, as for a plain array without an affine.
    """

    affine: Affine
    shape: tuple[int, int, int]
    orientation: Orientation
    header: Any = None
    unit_mm: float = 1.0
    known: bool = True

    @classmethod
    def of_file(cls, affine: Affine, shape: tuple[int, int, int], **facts: Any) -> "VolumeGrid":
        """Return the grid of a file; axes are swapped to the closest of S, P and L."""
        return cls(affine, shape, closest_orientation(affine), **facts)

    @classmethod
    def of_array(cls, shape: tuple[int, ...], affine: Affine | None, spacing: tuple[float, ...]) -> "VolumeGrid":
        """Return the grid of a ``(Z, Y, X)`` array that is shown as it is.

        Parameters
        ----------
        shape : tuple of int
            ``(Z, Y, X)``.
        affine : ndarray or None
            (4, 4), ``(x, y, z)`` index to RAS+ mm; None makes one up from ``spacing``, axes L, P and S.
        spacing : tuple of float
            ``(z, y, x)`` in mm.
        """
        known = affine is not None
        if affine is None:
            z, y, x = spacing
            affine = np.diag([-x, -y, z, 1.0])
        z_n, y_n, x_n = shape
        swap = Orientation((2, 1, 0), (False, False, False))
        return cls(np.asarray(affine, dtype=np.float64), (x_n, y_n, z_n), swap, known=known)

    @property
    def canonical_shape(self) -> tuple[int, int, int]:
        """``(Z, Y, X)``."""
        return self.orientation.canonical_shape(self.shape)

    @property
    def canonical_affine(self) -> Affine:
        """(4, 4), our ``(x, y, z)`` index to RAS+ millimetres."""
        matrix: Affine = self.affine @ self.orientation.index_map(self.shape)
        matrix[:3] *= self.unit_mm
        return matrix

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size ``(z, y, x)`` in mm; their product is the volume of a voxel.

        Of a sheared grid (a CT under a tilted gantry) the size along the file's last axis is the distance of the
        slices, across them, and not the way that the table moved.
        """
        x, y, z = voxel_sizes(self.canonical_affine)
        sizes = [z, y, x]
        sizes[self.orientation.order.index(2)] *= self._upright
        return sizes[0], sizes[1], sizes[2]

    @property
    def is_sheared(self) -> bool:
        """Whether the grid's axes are not at right angles, as under a tilted gantry."""
        return self._upright != 1.0

    @property
    def _upright(self) -> float:
        """Volume of a voxel over the product of its edges: 1 unless the grid is sheared."""
        share = abs(float(np.linalg.det(self.affine[:3, :3]))) / float(np.prod(voxel_sizes(self.affine)))
        return share if share < _SHEARED_BELOW else 1.0

    @property
    def is_oblique(self) -> bool:
        """Whether the grid is turned against the world's axes."""
        return oblique_degrees(self.affine) > OBLIQUE_FROM_DEGREES

    def to_original(self, array: AnyArray) -> AnyArray:
        """Bring a ``(Z, Y, X)`` array to the file's grid.

        Raises
        ------
        GeometryError
            If the array does not cover the volume.
        """
        self._check(array, self.canonical_shape)
        return self.orientation.to_file(array)

    def from_original(self, array: AnyArray) -> AnyArray:
        """Bring an array on the file's grid to ours, ``(Z, Y, X)``, C-contiguous.

        Raises
        ------
        GeometryError
            If the array does not cover the volume.
        """
        self._check(array, self.shape)
        return np.ascontiguousarray(self.orientation.to_canonical(array))

    def _check(self, array: AnyArray, wanted: tuple[int, ...]) -> None:
        if array.shape != wanted:
            raise GeometryError(f"An array of shape {array.shape} does not lie on this volume's grid {wanted}.")
