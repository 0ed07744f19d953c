"""Surfaces of masks: marching cubes in slabs, closed, smoothed without shrinking.

A slab at a time, because scikit-image's marching cubes keep all other threads of Python waiting while they run; the
slabs share a plane, and the corners on it are welded, so the surface is the same as that of the whole volume.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.geometry import Box, GridTransform, derived_grid, split_axis
from napari_medpatch.io.coarse import coarse_steps
from napari_medpatch.io.source import AnyArray
from napari_medpatch.steps import finish

Vertices = npt.NDArray[np.float32]
Faces = npt.NDArray[np.int64]
Surface = tuple[Vertices, Faces]

MAX_VOXELS = 24_000_000
"""Larger boxes are looked at in coarser cells, so that a surface stays light enough to turn and to print."""

_SLAB_VOXELS = 400_000
_LAMBDA, _MU = 0.5, -0.53
"""Each round shrinks and swells again."""


def mask_surface(
    mask: AnyArray,
    value: int = 1,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    smooth: int = 10,
    max_voxels: int = MAX_VOXELS,
) -> Surface:
    """Return the closed surface of one class of a mask.

    Parameters
    ----------
    mask : ndarray
        ``(Z, Y, X)`` of integers.
    value : int
        The class.
    spacing : sequence of float
        Size of a voxel along ``z, y, x``, in mm; the vertices come in the same unit.
    smooth : int
        Rounds of Taubin's smoothing, which takes the steps of voxels away and keeps the size (Taubin, SIGGRAPH
        1995); 0 keeps the steps.
    max_voxels : int
        If the class fills a larger box, it is averaged into coarser, nearly cubic cells first.

    Returns
    -------
    vertices : ndarray
        ``(N, 3) float32``, ``z, y, x`` from the centre of voxel (0, 0, 0).
    faces : ndarray
        ``(M, 3) int64``, corners of triangles. Seen from outside they run counter-clockwise once the columns of
        ``vertices`` are in the order ``x, y, z``, as STL and PLY want it; a mirrored axis turns them over.

    Raises
    ------
    LabelsError
        If no voxel has this value.
    GeometryError
        If the mask is not three-dimensional or a spacing is not positive.
    """
    return finish(surface_steps(mask, value, spacing, smooth, max_voxels))


def surface_steps(
    mask: AnyArray,
    value: int = 1,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    smooth: int = 10,
    max_voxels: int = MAX_VOXELS,
) -> Generator[float, None, Surface]:
    """As :func:`mask_surface`, in steps of a few hundredths of a second; yields the share that is done."""
    _check(mask, spacing)
    box = yield from _box_of(mask, value)
    cells = _Cells.over(mask, value, box, coarse_steps(box.shape, spacing, max_voxels))
    builder = _Builder()
    for done, slab in enumerate(cells.slabs(), start=1):
        builder.add(*slab)
        yield 0.1 + 0.7 * done / cells.slab_count
    vertices, faces = builder.welded()
    if not len(faces):
        raise LabelsError(
            f"Value {value} fills less than half a cell of {cells.steps} voxels everywhere, so it has no surface; "
            f"allow more voxels."
        )
    place = cells.place(spacing)
    vertices = vertices * np.asarray(place.scale) + np.asarray(place.translate)
    neighbours = _mean_of_neighbours(faces, len(vertices)) if smooth else None
    for turn in range(smooth):
        yield 0.8 + 0.2 * turn / smooth
        for factor in (_LAMBDA, _MU):
            vertices = vertices + factor * (neighbours @ vertices - vertices)
    return vertices.astype(np.float32), faces


def _check(mask: AnyArray, spacing: Sequence[float]) -> None:
    if mask.ndim != 3:
        raise GeometryError(f"A surface needs a mask (Z, Y, X); this one has the shape {mask.shape}.")
    if len(spacing) != 3 or not all(np.isfinite(s) and s > 0 for s in spacing):
        raise GeometryError(f"A surface needs three positive voxel sizes, got {tuple(spacing)}.")


def _box_of(mask: AnyArray, value: int) -> Generator[float, None, Box]:
    """Return the box around a class, looking at a few slices at a time."""
    used = [np.zeros(n, dtype=np.bool_) for n in mask.shape]
    thickness = max(1, 8_000_000 // max(1, mask.shape[1] * mask.shape[2]))
    for start, stop in split_axis(mask.shape[0], thickness):
        here = np.asarray(mask[start:stop]) == value
        flat = here.any(axis=0)
        used[0][start:stop] = here.any(axis=(1, 2))
        used[1] |= flat.any(axis=1)
        used[2] |= flat.any(axis=0)
        yield 0.1 * stop / mask.shape[0]
    if not used[0].any():
        raise LabelsError(f"The mask has no voxel of value {value}, so there is no surface to make.")
    ends = [np.flatnonzero(axis)[[0, -1]] for axis in used]
    return Box(tuple(int(a) for a, _ in ends), tuple(int(b) + 1 for _, b in ends))


@dataclass(frozen=True, slots=True)
class _Cells:
    """The share of each cell that a class fills, with one empty cell all around."""

    mask: AnyArray
    value: int
    box: Box
    steps: tuple[int, ...]
    planes_per_slab: int

    @classmethod
    def over(cls, mask: AnyArray, value: int, box: Box, steps: tuple[int, ...]) -> "_Cells":
        rows, columns = (-(-n // s) + 2 for n, s in zip(box.shape[1:], steps[1:], strict=True))
        return cls(mask, value, box, steps, max(2, _SLAB_VOXELS // (rows * columns)))

    @property
    def planes(self) -> int:
        """Planes of cells, the two empty ones included."""
        return -(-self.box.shape[0] // self.steps[0]) + 2

    @property
    def slab_count(self) -> int:
        """Slabs that :meth:`slabs` gives."""
        return -(-(self.planes - 1) // self.planes_per_slab)

    def slabs(self) -> Iterator[tuple[int, npt.NDArray[np.float32], float]]:
        """Yield the number of the first plane, the slab, and the level of the surface in it."""
        # Cells that are exactly half full would give triangles without area.
        level = 0.5 if self.steps == (1, 1, 1) else 0.5 - 2**-10
        for first, last in split_axis(self.planes - 1, self.planes_per_slab):
            yield first, np.stack([self._plane(index) for index in range(first, last + 1)]), level

    def place(self, spacing: Sequence[float]) -> GridTransform:
        """Return where the cells lie, in mm."""
        origin = [a - s for a, s in zip(self.box.start, self.steps, strict=True)]
        return derived_grid(self.steps, spacing, origin)

    def _plane(self, index: int) -> npt.NDArray[np.float32]:
        dz, dy, dx = self.steps
        rows, columns = (-(-n // s) for n, s in zip(self.box.shape[1:], (dy, dx), strict=True))
        plane = np.zeros((rows + 2, columns + 2), np.float32)
        if 0 < index < self.planes - 1:
            start = self.box.start[0] + (index - 1) * dz
            part = self.mask[start : min(start + dz, self.box.stop[0]), self.box.slices[1], self.box.slices[2]]
            full = np.zeros((rows * dy, columns * dx), np.float32)
            full[: part.shape[1], : part.shape[2]] = (part == self.value).sum(axis=0, dtype=np.float32)
            plane[1:-1, 1:-1] = full.reshape(rows, dy, columns, dx).sum(axis=(1, 3)) / (dz * dy * dx)
        return plane


class _Builder:
    """Gathers the pieces of a surface and welds them where slabs meet."""

    def __init__(self) -> None:
        self._vertices: list[npt.NDArray[np.float64]] = []
        self._faces: list[Faces] = []
        self._seams: list[int] = []
        self._count = 0

    def add(self, first: int, slab: npt.NDArray[np.float32], level: float) -> None:
        """Add the surface in a slab, whose first plane has the number ``first``."""
        from skimage.measure import marching_cubes

        self._seams.append(first)
        if slab.min() >= level or slab.max() < level:
            return
        vertices, faces, _, _ = marching_cubes(slab, level)
        vertices = vertices.astype(np.float64)
        vertices[:, 0] += first
        self._vertices.append(vertices)
        self._faces.append(faces.astype(np.int64) + self._count)
        self._count += len(vertices)

    def welded(self) -> tuple[npt.NDArray[np.float64], Faces]:
        """Return one surface; corners on a shared plane are one corner."""
        if not self._faces:
            return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
        vertices, faces = np.concatenate(self._vertices), np.concatenate(self._faces)
        on_seam = np.flatnonzero(np.isin(vertices[:, 0], self._seams))
        order = on_seam[np.lexsort(vertices[on_seam].T)]
        is_new = np.ones(len(order), dtype=np.bool_)
        is_new[1:] = (vertices[order[1:]] != vertices[order[:-1]]).any(axis=1)
        stands_for = np.arange(len(vertices))
        stands_for[order] = order[is_new][np.cumsum(is_new) - 1]
        kept = np.flatnonzero(stands_for == np.arange(len(vertices)))
        number = np.zeros(len(vertices), np.int64)
        number[kept] = np.arange(len(kept))
        return vertices[kept], number[stands_for[faces]]


def _mean_of_neighbours(faces: Faces, count: int) -> Any:
    """Return the sparse matrix that takes each corner to the mean of the corners it shares an edge with."""
    from scipy.sparse import csr_matrix

    begins, ends = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    edges = csr_matrix((np.ones(len(begins), np.float32), (begins, ends)), shape=(count, count))
    edges = edges + edges.T
    edges.data[:] = 1.0
    edges.data /= np.repeat(np.diff(edges.indptr), np.diff(edges.indptr))
    return edges
