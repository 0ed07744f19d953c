"""Regions of interest: polygons that limit where a classifier looks."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import DamagedFileError, GeometryError
from napari_medpatch.io.geojson_reading import read_features

BoolArray = npt.NDArray[np.bool_]
Ring = npt.NDArray[np.float64]
_POINTS = 20_000
"""Points that are compared with a ring at a time, to bound memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Polygons over an image; a point is inside if it is inside any of them and not in a hole of that one.

    Parameters
    ----------
    polygons : tuple of ndarray
        ``(N, 2) float64`` each, ``y, x`` of the corners in level-0 pixels measured from the corner of the
        first pixel. The last corner is joined to the first.
    holes : tuple of tuple of ndarray, optional
        Rings cut out of each polygon; one tuple per polygon.

    Raises
    ------
    GeometryError
        If there is no polygon, or one has fewer than three corners or corners that are no numbers.
    """

    polygons: tuple[Ring, ...]
    holes: tuple[tuple[Ring, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.polygons:
            raise GeometryError("The region of interest has no polygon; draw one or choose another file.")
        if self.holes and len(self.holes) != len(self.polygons):
            raise GeometryError(f"A region of {len(self.polygons)} polygons needs as many tuples of holes.")
        object.__setattr__(self, "polygons", tuple(_checked(ring) for ring in self.polygons))
        rings = self.holes or ((),) * len(self.polygons)
        object.__setattr__(self, "holes", tuple(tuple(_checked(ring) for ring in some) for some in rings))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``y0, x0, y1, x1`` of the smallest upright rectangle around all polygons."""
        corners = np.concatenate(self.polygons)
        (y0, x0), (y1, x1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        return y0, x0, y1, x1

    def meets(self, shape: tuple[int, ...]) -> bool:
        """Whether part of the region may lie inside an image of ``shape``."""
        y0, x0, y1, x1 = self.bounds
        return y1 > 0 and x1 > 0 and y0 < shape[0] and x0 < shape[1]

    def contains(self, points: npt.ArrayLike) -> BoolArray:
        """Return which points are inside, by the even-odd rule for rings that cross themselves.

        Parameters
        ----------
        points : array-like
            ``(N, 2)``, ``y, x`` in level-0 pixels, measured from the corner of the first pixel.

        Returns
        -------
        ndarray
            ``(N,) bool``.
        """
        place = np.asarray(points, np.float64).reshape(-1, 2)
        order = np.argsort(place[:, 0], kind="stable")
        y, x = place[order].T
        found = np.zeros(len(place), bool)
        for ring, holes in zip(self.polygons, self.holes, strict=True):
            (top, left), (bottom, right) = ring.min(axis=0), ring.max(axis=0)
            first, last = np.searchsorted(y, top), np.searchsorted(y, bottom, "right")
            near = first + np.flatnonzero((x[first:last] >= left) & (x[first:last] <= right) & ~found[first:last])
            for start in range(0, len(near), _POINTS):
                part = near[start : start + _POINTS]
                found[part] = _inside((ring,), y[part], x[part])
                if holes:
                    found[part] &= ~_inside(holes, y[part], x[part])
        inside = np.empty_like(found)
        inside[order] = found
        return inside


def region_from_geojson(path: str | os.PathLike[str]) -> Region:
    """Read the annotations of a GeoJSON file, for example of QuPath.

    Parameters
    ----------
    path : path-like
        A FeatureCollection or a bare array of features, possibly gzipped. Polygons and multi-polygons that
        are annotations count (features that do not say what they are do too); detections, cells and tiles
        do not, nor do points and lines.

    Raises
    ------
    DamagedFileError
        If the file cannot be read, is no GeoJSON, or holds no polygon that is an annotation.
    """
    polygons: list[Ring] = []
    holes: list[tuple[Ring, ...]] = []
    for feature in read_features(path):
        for rings in _rings(feature, path):
            polygons.append(rings[0])
            holes.append(tuple(rings[1:]))
    if not polygons:
        raise DamagedFileError(
            f"{path} holds no annotation with an area; export polygons, rectangles or ellipses as annotations."
        )
    try:
        return Region(tuple(polygons), tuple(holes))
    except GeometryError as error:
        raise DamagedFileError(f"{path}: {error}") from error


def _rings(feature: Mapping[str, Any], path: str | os.PathLike[str]) -> Iterator[list[Ring]]:
    """Yield the rings of each polygon of an annotation, the outer one first."""
    kind = (feature.get("properties") or {}).get("objectType", "annotation")
    geometry = feature["geometry"] or {}
    if kind in {"detection", "cell", "tile", "tmaCore"} or geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        return
    try:
        parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
        for part in parts:
            rings = [np.array([[point[1], point[0]] for point in ring], np.float64) for ring in part]
            if rings:
                yield rings
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedFileError(f"{path} has an annotation without readable coordinates: {error}.") from error


def _checked(ring: npt.ArrayLike) -> Ring:
    corners = np.ascontiguousarray(ring, np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(np.unique(corners, axis=0)) < 3:
        raise GeometryError(f"A polygon needs at least three corners (y, x), got an array of shape {corners.shape}.")
    if not np.isfinite(corners).all():
        raise GeometryError("A polygon of the region of interest has corners that are no numbers; draw it again.")
    return corners


def _inside(rings: tuple[Ring, ...], y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> BoolArray:
    """Return for points sorted by ``y`` whether an odd number of edges lies to their right.

    Edges are listed for each distinct ``y`` that they cross; sorted with the points of that ``y``, the
    edges after a point are counted by a running sum.
    """
    lines, which = np.unique(y, return_inverse=True)
    row, at = _crossings(rings, lines)
    rows = np.concatenate([which, row])
    # A point on an edge counts as after it, so that neighbouring polygons share no point.
    order = np.lexsort((np.r_[np.ones(len(x), bool), np.zeros(len(at), bool)], np.r_[x, at], rows))
    is_edge = order >= len(x)
    seen = np.cumsum(is_edge)
    ends = np.cumsum(np.bincount(row, minlength=len(lines)))
    odd = np.zeros(len(x), bool)
    points = ~is_edge
    odd[order[points]] = (ends[rows[order[points]]] - seen[points]) % 2 == 1
    return odd


def _crossings(
    rings: tuple[Ring, ...], lines: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return where edges cross horizontal lines: index of the line and ``x``."""
    begin = np.concatenate(rings)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    # Half-open, so that a line through a corner meets one of its two edges.
    first = np.searchsorted(lines, np.minimum(begin[:, 0], end[:, 0]), "left")
    count = np.searchsorted(lines, np.maximum(begin[:, 0], end[:, 0]), "left") - first
    edge = np.repeat(np.arange(len(begin)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    share = (lines[row] - begin[edge, 0]) / (end[edge, 0] - begin[edge, 0])
    return row.astype(np.int64), begin[edge, 1] + share * (end[edge, 1] - begin[edge, 1])
