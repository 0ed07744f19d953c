"""Distances between the surfaces of two masks.

The surface of a mask is its *border voxels*: those with a neighbour across a face that is not of the mask, or at the
edge of the image, as in MONAI, medpy and Metrics Reloaded (Maier-Hein et al., Nature Methods 2024). Distances run
between voxel centres, in physical units on anisotropic grids, and are exact: each border voxel asks a k-d tree of the
other mask's border voxels for its nearest. Border voxels beside voxels that are left out of the comparison are no
surface.

With *d* the distances from each border voxel of one mask to the other mask's surface, both directions:

- ASSD is the mean of all *d* together (average symmetric surface distance);
- HD95 is the larger of the two directions' 95th percentiles, HD the larger of their maxima (MONAI's convention;
  medpy takes the percentile of both together);
- surface Dice is the share of all border voxels with *d* ≤ tolerance (Nikolov et al., J Med Internet Res 2021, who
  weigh surface elements by area; MONAI's default counts border voxels, as here).
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.pieces import pieces_of
from napari_medpatch.evaluate.progress import wait_for
from napari_medpatch.steps import part_of

Bools = npt.NDArray[np.bool_]
Points = npt.NDArray[np.int32]
Distances = npt.NDArray[np.float32]
_STEP_S = 0.2
"""A query of the tree is cut so that it takes about this long."""


@dataclass(frozen=True, slots=True)
class SurfaceScores:
    """How far two surfaces are apart, in the unit of the spacing.

    Parameters
    ----------
    assd, hd95, hd : float
        Average, 95 % and greatest distance.
    surface_dice : float
        Share of both surfaces within ``tolerance`` of the other.
    tolerance : float
        Of the surface Dice.
    """

    assd: float
    hd95: float
    hd: float
    surface_dice: float
    tolerance: float


def surface_scores(
    predicted: Bools,
    true: Bools,
    spacing: Sequence[float],
    tolerance: float,
    ignored: Bools | None = None,
) -> Generator[float, None, SurfaceScores | None]:
    """Compare the surfaces of two masks; yields the share that is done.

    Parameters
    ----------
    predicted, true : ndarray of bool
        ``(Y, X)`` or ``(Z, Y, X)``; may be cropped to where either is.
    spacing : sequence of float
        Size of a pixel along each axis.
    tolerance : float
        In the unit of ``spacing``.
    ignored : ndarray of bool, optional
        Pixels left out of the comparison; neither mask has any of them.

    Returns
    -------
    SurfaceScores or None
        None if a surface is empty: no distance exists.
    """
    borders: list[Points] = []
    for index, mask in enumerate((predicted, true)):
        points = yield from part_of(border(mask, ignored), 0.1 * index, 0.1)
        borders.append(points)
    if not all(map(len, borders)):
        return None
    size = np.asarray(spacing, np.float64)
    ways: list[Distances] = []
    for index, (of, to) in enumerate((borders, borders[::-1])):
        way = yield from part_of(distances(of, to, size, predicted.shape), 0.2 + 0.4 * index, 0.4)
        ways.append(way)
    return _scores(ways, tolerance)


def border(mask: Bools, ignored: Bools | None = None) -> Generator[float, None, Points]:
    """Find the border voxels of a mask plane by plane.

    Parameters
    ----------
    mask : ndarray of bool
        ``(Y, X)`` or ``(Z, Y, X)``.
    ignored : ndarray of bool, optional
        Pixels that are neither inside nor outside.

    Returns
    -------
    ndarray
        (N, axes) int32 indices in C order.
    """
    solid = mask if ignored is None else mask | ignored
    found = [np.empty((0, 3), np.int32)]
    pieces = pieces_of(mask)
    for done, (z, y, piece) in enumerate(pieces, start=1):
        plane = solid if mask.ndim == 2 else solid[z]
        # With a row more on both sides, unless the image ends there.
        before = min(y, 1)
        inner = _inside_plane(plane[y - before : y + len(piece) + 1])[before : before + len(piece)]
        if mask.ndim == 3:
            for other in (z - 1, z + 1):
                inner &= solid[other] if 0 <= other < len(solid) else np.False_
        rows, columns = np.nonzero(piece & ~inner)
        found.append(np.stack([np.full(len(rows), z), rows + y, columns], axis=1).astype(np.int32))
        yield done / len(pieces)
    return np.concatenate(found)[:, 3 - mask.ndim :]


def distances(
    of: Points, to: Points, spacing: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> Generator[float, None, Distances]:
    """Return how far each point is from the nearest of other points.

    Parameters
    ----------
    of, to : ndarray
        (N, axes) and (M, axes) int32 indices in C order, none empty.
    spacing : ndarray
        Size of a pixel along each axis.
    shape : tuple of int
        Of the grid of the indices.

    Returns
    -------
    ndarray
        (N,) float32, in the unit of ``spacing``.
    """
    from scipy.spatial import cKDTree

    result = np.zeros(len(of), np.float32)
    # Most of a good prediction's surface coincides with the truth's; those need no search.
    apart = yield from wait_for(_not_among, of, to, shape)
    if len(apart):
        # Points of a grid share coordinates, on which a balanced tree takes much longer to build.
        tree = yield from wait_for(cKDTree, to * spacing, balanced_tree=False, compact_nodes=False)
        yield from _query(tree, of, apart, spacing, result)
    return result


def _query(
    tree: Any, of: Points, apart: npt.NDArray[np.intp], spacing: npt.NDArray[np.float64], result: Distances
) -> Generator[float, None, None]:
    """Fill in distances a piece at a time, pieces cut so that each takes a moment."""
    # A point in the middle of a sphere is as near to all of it, and each such search takes long.
    at, step = 0, 16
    while at < len(apart):
        chosen, begun = apart[at : at + step], time.monotonic()
        result[chosen] = tree.query(of[chosen] * spacing, workers=-1)[0]
        at += len(chosen)
        step = int(np.clip(step * _STEP_S / max(time.monotonic() - begun, 1e-3), 1, 8 * step))
        yield at / len(apart)


def _inside_plane(plane: Bools) -> Bools:
    """Return the pixels whose four neighbours in the plane are of the mask too."""
    inner = plane.copy()
    inner[:1] = inner[-1:] = False
    inner[:, :1] = inner[:, -1:] = False
    inner[1:] &= plane[:-1]
    inner[:-1] &= plane[1:]
    inner[:, 1:] &= plane[:, :-1]
    inner[:, :-1] &= plane[:, 1:]
    return inner


def _not_among(of: Points, to: Points, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """Return which points are not among others."""
    return np.flatnonzero(~np.isin(_flat(of, shape), _flat(to, shape), assume_unique=True))


def _flat(points: Points, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    flat: npt.NDArray[np.intp] = np.ravel_multi_index(tuple(points.T.astype(np.intp)), shape)
    return flat


def _scores(ways: list[Distances], tolerance: float) -> SurfaceScores:
    count = sum(map(len, ways))
    # A distance of 2 voxels of 0.5 mm is 1 mm, whatever float32 makes of it.
    within = sum(int(np.count_nonzero(way <= tolerance + 1e-4 * max(tolerance, 1e-3))) for way in ways)
    return SurfaceScores(
        assd=float(sum(way.sum(dtype=np.float64) for way in ways) / count),
        hd95=float(max(np.percentile(way, 95) for way in ways)),
        hd=float(max(way.max() for way in ways)),
        surface_dice=within / count,
        tolerance=tolerance,
    )
