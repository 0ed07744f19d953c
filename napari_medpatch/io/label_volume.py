"""Label volumes: the same grid as the image, in whatever orientation they were saved."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.io.label_image import Labels, to_labels
from napari_medpatch.io.nifti_file import open_nifti
from napari_medpatch.io.orientation import (
    Affine,
    Orientation,
    closest_orientation,
    orientation_from_matrix,
    voxel_sizes,
)
from napari_medpatch.io.source import Source
from napari_medpatch.io.volume_grid import VolumeGrid
from napari_medpatch.io.volume_source import as_volume
from napari_medpatch.io.wording import size_text, spacing_text

_OFF_BY_VOXELS = 0.25


def read_nifti_labels(path: Path, source: Source) -> Labels:
    """Read a NIfTI label volume and turn its axes to the source's.

    The file may be in any orientation of the source's grid. A file that does not say how it lies is taken to
    lie as the source's file if the shapes agree.

    Returns
    -------
    ndarray
        ``(Z, Y, X) uint8``.

    Raises
    ------
    GeometryError
        If the grids differ in shape, voxel size or direction, or lie more than a quarter voxel apart.
    LabelsError
        If values are not whole numbers from 0 to 255, or the file holds several volumes.
    """
    file = open_nifti(path)
    if file.volumes != 1:
        raise LabelsError(f"{path} holds {file.volumes} volumes; labels are one.")
    affine = file.affine.copy()
    affine[:3] *= file.unit_mm
    orientation = LabelGrid(file.path, affine, file.grid_shape, file.has_position).orientation_on(source)
    result = np.empty(orientation.canonical_shape(file.grid_shape), dtype=np.uint8)
    on_file_grid = orientation.to_file(result)
    for where, block in file.slabs():
        on_file_grid[..., where] = to_labels(file.scaled(block), path)
    return result


def read_other_labels(path: Path, source: Source, *, may_be_cropped: bool = False) -> Labels:
    """Read labels from a volume of another format (NRRD, MetaImage, PNG series) as :func:`read_nifti_labels`.

    Parameters
    ----------
    path : Path
        The file, or folder of slices.
    source : Source
        The image.
    may_be_cropped : bool
        Accept a file that covers a part of the grid, as 3D Slicer saves segmentations; the rest is 0.
    """
    from napari_medpatch.io.read_volume import read_volume_file

    with closing(read_volume_file(path)) as labels:
        grid: VolumeGrid = labels.grid
        affine = grid.affine.copy()
        affine[:3] *= grid.unit_mm
        file = LabelGrid(path, affine, grid.shape, grid.known)
        values = to_labels(grid.to_original(labels.array), path)
    if not may_be_cropped or grid.shape == getattr(source, "original_shape", grid.shape):
        return np.ascontiguousarray(file.orientation_on(source).to_canonical(values))
    return file.pasted(values, source)


@dataclass(frozen=True, slots=True, eq=False)
class LabelGrid:
    """Where the labels of a file lie.

    Parameters
    ----------
    path : Path
        For sentences.
    affine : ndarray
        (4, 4), the file's ``(i, j, k)`` index to RAS+ mm.
    shape : tuple of int
        Of the file's grid.
    has_position : bool
        Whether the file says how it lies.
    """

    path: Path
    affine: Affine
    shape: tuple[int, int, int]
    has_position: bool

    def orientation_on(self, source: Source) -> Orientation:
        """Return how the file's axes become the source's, after checking that the grids are one."""
        grid: VolumeGrid | None = getattr(source, "grid", None)
        if grid is None or not grid.known:
            return self._checked(closest_orientation(self.affine), source)
        if not self.has_position and self.shape == grid.shape:
            return grid.orientation
        orientation, between = self._between(grid, source)
        self._checked(orientation, source)
        exact = np.linalg.inv(orientation.index_map(self.shape))
        offset = float(np.abs(self._corners() @ (between - exact).T).max())
        if offset > _OFF_BY_VOXELS:
            raise GeometryError(self._mismatch(source, f"lie {offset:.3g} voxels apart"))
        return orientation

    def pasted(self, values: Labels, source: Source) -> Labels:
        """Return labels that cover a part of the source's grid, on all of it.

        Parameters
        ----------
        values : ndarray
            ``(i, j, k) uint8``.
        source : Source
            The image.

        Raises
        ------
        GeometryError
            If the part does not lie on the source's grid, voxel on voxel, or not within it.
        """
        orientation, between = self._between(as_volume(source).grid, source)
        corners = (self._corners() @ between.T)[:, :3][:, ::-1]
        start = np.rint(corners.min(axis=0)).astype(int)
        stop = start + orientation.canonical_shape(self.shape)
        if np.abs(corners - np.rint(corners)).max() > _OFF_BY_VOXELS:
            raise GeometryError(self._mismatch(source, "do not lie voxel on voxel"))
        result = np.zeros(source.levels[0].shape, np.uint8)
        if (start < 0).any() or (stop > result.shape).any():
            raise GeometryError(self._mismatch(source, "do not lie one within the other"))
        where = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        result[where] = orientation.to_canonical(values)
        return result

    def _between(self, grid: VolumeGrid, source: Source) -> tuple[Orientation, Affine]:
        """Return the axis swap, and the map from the file's index to our ``(x, y, z)``."""
        between = np.asarray(np.linalg.solve(grid.canonical_affine, self.affine), dtype=np.float64)
        orientation = orientation_from_matrix(between)
        if orientation is None:
            raise GeometryError(self._mismatch(source, "lie on grids of another direction or voxel size"))
        return orientation, between

    def _checked(self, orientation: Orientation, source: Source) -> Orientation:
        if orientation.canonical_shape(self.shape) != source.levels[0].shape:
            raise GeometryError(self._mismatch(source, "have other shapes"))
        return orientation

    def _corners(self) -> Affine:
        corners = np.array([[a, b, c, 1.0] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
        corners[:, :3] *= np.asarray(self.shape) - 1
        return corners

    def _mismatch(self, source: Source, how: str) -> str:
        own = source.spacing.values[::-1] if source.spacing is not None else ()
        return (
            f"{self.path} (x y z: {size_text(self.shape)}, {spacing_text(voxel_sizes(self.affine))}) and {source.path} "
            f"({size_text(source.levels[0].shape[::-1])}, {spacing_text(own)}) {how}; "
            "labels must be painted on this image or resampled to it."
        )
