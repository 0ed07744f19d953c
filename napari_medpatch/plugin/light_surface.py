"""Surfaces with few enough triangles to turn quickly."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_medpatch.io.surface import Surface

_TRIES, _WIDER = 6, 1.25


def light_surface(surface: "Surface", most: float) -> "Surface":
    """Merge the corners of a surface that lie close together until it has few enough triangles.

    Corners in one cell of a grid become one, in their middle (Rossignac and Borrel, *Multi-resolution 3D
    approximations for rendering complex scenes*, 1993). Thin structures get thinner, but none is lost or torn, as in
    coarser cells of the mask. It is for looking at: what is exported keeps every triangle.

    Parameters
    ----------
    surface : tuple
        ``(N, 3) float32`` corners, all axes in the same unit, and ``(M, 3)`` faces.
    most : float
        Triangles that it may have.

    Returns
    -------
    tuple
        The surface itself if it has no more.
    """
    corners, faces = surface
    if len(faces) <= most:
        return surface
    # On a plane along the grid, a cell is worth two triangles; across it, more.
    side = float(np.sqrt(3 * _area(corners, faces) / most))
    light = surface
    for _ in range(_TRIES):
        light = _merged(corners, faces, side)
        if len(light[1]) <= most:
            break
        side *= _WIDER
    return light


def _area(corners: npt.NDArray[np.float32], faces: npt.NDArray[Any]) -> float:
    a, b, c = (corners[faces[:, index]] for index in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def _merged(corners: npt.NDArray[np.float32], faces: npt.NDArray[Any], side: float) -> "Surface":
    cells = np.floor((corners - corners.min(axis=0)) / side).astype(np.int64)
    size = cells.max(axis=0) + 1
    _, cluster, count = np.unique(
        np.ravel_multi_index(tuple(cells.T), tuple(size)), return_inverse=True, return_counts=True
    )
    middles = [np.bincount(cluster, weights=corners[:, axis]) / count for axis in range(3)]
    merged = cluster[faces]
    first, second, third = merged.T
    whole = (first != second) & (second != third) & (third != first)
    return np.stack(middles, axis=1).astype(np.float32), merged[whole]
