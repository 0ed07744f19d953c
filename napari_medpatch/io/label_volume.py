"""Label volumes: the same grid as the image, in whatever orientation they were saved."""

from pathlib import Path

import numpy as np

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.io.label_image import Labels, to_labels
from napari_medpatch.io.nifti_file import NiftiFile, open_nifti
from napari_medpatch.io.orientation import (
    Affine,
    Orientation,
    closest_orientation,
    orientation_from_matrix,
    voxel_sizes,
)
from napari_medpatch.io.source import Source
from napari_medpatch.io.volume_grid import VolumeGrid
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
    orientation = _orientation(file, source)
    result = np.empty(orientation.canonical_shape(file.grid_shape), dtype=np.uint8)
    on_file_grid = orientation.to_file(result)
    for where, block in file.slabs():
        on_file_grid[..., where] = to_labels(file.scaled(block), path)
    return result


def _orientation(file: NiftiFile, source: Source) -> Orientation:
    """Return how the label file's axes become the source's, after checking that the grids are one."""
    grid: VolumeGrid | None = getattr(source, "grid", None)
    if grid is None or not grid.known:
        return _checked(closest_orientation(file.affine), file, source)
    if not file.has_position and file.grid_shape == grid.shape:
        return grid.orientation
    affine = file.affine.copy()
    affine[:3] *= file.unit_mm
    between = np.asarray(np.linalg.solve(grid.canonical_affine, affine), dtype=np.float64)
    orientation = orientation_from_matrix(between)
    if orientation is None:
        raise GeometryError(_mismatch(file, source, "lie on grids of another direction or voxel size"))
    _checked(orientation, file, source)
    offset = _largest_offset(between, orientation, file.grid_shape)
    if offset > _OFF_BY_VOXELS:
        raise GeometryError(_mismatch(file, source, f"lie {offset:.3g} voxels apart"))
    return orientation


def _checked(orientation: Orientation, file: NiftiFile, source: Source) -> Orientation:
    if orientation.canonical_shape(file.grid_shape) != source.levels[0].shape:
        raise GeometryError(_mismatch(file, source, "have other shapes"))
    return orientation


def _largest_offset(between: Affine, orientation: Orientation, shape: tuple[int, int, int]) -> float:
    """Return how far corners of the two grids are apart, in voxels of the source."""
    corners = np.array([[a, b, c, 1.0] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    corners[:, :3] *= np.asarray(shape) - 1
    exact = np.linalg.inv(orientation.index_map(shape))
    return float(np.abs(corners @ (between - exact).T).max())


def _mismatch(file: NiftiFile, source: Source, how: str) -> str:
    sizes = tuple(v * file.unit_mm for v in voxel_sizes(file.affine))
    own = source.spacing.values[::-1] if source.spacing is not None else ()
    return (
        f"{file.path} (x y z: {size_text(file.grid_shape)}, {spacing_text(sizes)}) and {source.path} "
        f"({size_text(source.levels[0].shape[::-1])}, {spacing_text(own)}) {how}; "
        "labels must be painted on this image or resampled to it."
    )
