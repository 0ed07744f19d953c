"""Where the patches of an explained region lie, and blending their maps without seams."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError
from napari_medpatch.geometry import Box, GridTransform, Spacing, derived_grid
from napari_medpatch.patches.grid import in_blocks
from napari_medpatch.patches.roi import Region
from napari_medpatch.patches.tissue import TissueMask

Maps = npt.NDArray[np.float32]

_CELLS_PER_STRIDE = 32
"""A patch becomes 64 × 64 values: networks see 7 × 7 to 37 × 37 positions in it."""

_MOST_CELLS = 16_000_000
"""Of a stitched map, 64 MB; larger regions get coarser cells."""

_LEAST_WEIGHT = 1e-3
_LEAST_TISSUE = 0.1
"""Of a patch, to be explained."""


@dataclass(frozen=True, slots=True)
class HeatGrid:
    """The cells of a stitched map over level 0.

    Parameters
    ----------
    shape : tuple of int
        ``(rows, cols)``.
    origin_px : tuple of float
        First level-0 pixel of cell ``(0, 0)``, ``(y, x)``.
    step_px : tuple of float
        Level-0 pixels per cell, ``(y, x)``.
    """

    shape: tuple[int, int]
    origin_px: tuple[float, float]
    step_px: tuple[float, float]

    def transform(self, spacing: Spacing | None) -> GridTransform:
        """Return the scale and translation that lay the map over the source, in its unit or pixels."""
        pixel = spacing.values if spacing is not None else (1.0, 1.0)
        return derived_grid(self.step_px, pixel, self.origin_px)

    @property
    def middle(self) -> npt.NDArray[np.float64]:
        """``(y, x)`` in level-0 pixels, measured from the corner of the first pixel."""
        extent = np.asarray(self.shape) * np.asarray(self.step_px, np.float64)
        centre: npt.NDArray[np.float64] = np.asarray(self.origin_px, np.float64) + extent / 2
        return centre

    def inside(self, roi: Region) -> npt.NDArray[np.bool_]:
        """Return which cells have their centre in a region of interest, ``(rows, cols)``."""
        y, x = (o + (np.arange(n) + 0.5) * s for o, n, s in zip(self.origin_px, self.shape, self.step_px, strict=True))
        # Row by row, to bound memory.
        rows = [roi.contains(np.stack([np.full_like(x, row), x], axis=1)) for row in y.tolist()]
        return np.stack(rows)


@dataclass(frozen=True, slots=True, eq=False)
class RegionPlan:
    """Half-overlapping patches that cover a region.

    Parameters
    ----------
    grid : HeatGrid
        Of the stitched map.
    boxes : ndarray
        ``(N, 4) int64``, ``y0, x0, y1, x1`` of the patches in level-0 pixels, in the order of visit. They lie
        on the grid that a classification with overlap 0.5 has.
    corners : ndarray
        ``(N, 2) int64``, cell of each patch's first corner; may be outside the map.
    edge : int
        Cells along a patch.
    """

    grid: HeatGrid
    boxes: npt.NDArray[np.int64]
    corners: npt.NDArray[np.int64]
    edge: int

    def only(self, tissue: TissueMask) -> "RegionPlan":
        """Leave out patches without tissue; all are kept where there is none at all, for somebody asked."""
        chosen = tissue.fraction(self.boxes) >= _LEAST_TISSUE
        return replace(self, boxes=self.boxes[chosen], corners=self.corners[chosen]) if chosen.any() else self


def plan_region(
    region: Box, shape: tuple[int, ...], patch_px: tuple[int, int], roi: Region | None = None, block_px: float = 1024
) -> RegionPlan:
    """Lay patches over a region.

    Parameters
    ----------
    region : Box
        In level-0 pixels.
    shape : tuple of int
        Of level 0.
    patch_px : tuple of int
        Extent of a patch in level-0 pixels.
    roi : Region, optional
        Leave out patches that do not touch it.
    block_px : float
        Patches are visited in squares of this many level-0 pixels.

    Raises
    ------
    GeometryError
        If no part of the region lies on the image.
    """
    inside = region.clip(shape)
    if not inside.size:
        raise GeometryError(
            f"The region from {region.start} to {region.stop} (y, x) lies outside the image of {tuple(shape)} pixels."
        )
    stride = tuple(max(1, round(p / 2)) for p in patch_px)
    first = [max(0, (a - p) // s + 1) for a, p, s in zip(inside.start, patch_px, stride, strict=True)]
    # A patch whose centre is beyond the edge would show background only.
    last = [
        min(math.ceil(b / s), max(1, math.ceil((n - s) / s))) - 1
        for b, n, s in zip(inside.stop, shape, stride, strict=True)
    ]
    first = [min(a, b) for a, b in zip(first, last, strict=True)]
    per_stride = _cells_per_stride(inside, stride)
    grid, offset = _grid(inside, first, stride, per_stride)
    axes = [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.int64)
    cells = in_blocks(cells, tuple(max(1, int(block_px / s)) for s in stride))
    starts = cells * np.asarray(stride)
    boxes = np.concatenate([starts, starts + np.asarray(patch_px)], axis=1)
    chosen = _touching(boxes, roi)
    corners = (cells - np.asarray(first)) * per_stride - np.asarray(offset)
    return RegionPlan(grid, boxes[chosen], corners[chosen], 2 * per_stride)


class Canvas:
    """Sums maps under a window that fades towards the patch's edge, so that neighbours join without seams.

    Parameters
    ----------
    plan : RegionPlan
        Where.
    """

    def __init__(self, plan: RegionPlan) -> None:
        self._plan = plan
        self._sum = np.zeros(plan.grid.shape, np.float32)
        self._weight = np.zeros(plan.grid.shape, np.float32)
        self.heat = np.full(plan.grid.shape, np.nan, np.float32)
        """``(rows, cols) float32``, blended raw values so far; NaN where no patch was."""
        # Two of these, half an edge apart, add up to one.
        wave = np.sin(np.pi * (np.arange(plan.edge) + 0.5) / plan.edge) ** 2
        # Along each axis: at the border of the image, where one row of patches is alone, columns still fade.
        self._window = np.outer(wave + _LEAST_WEIGHT, wave + _LEAST_WEIGHT).astype(np.float32)

    def add(self, index: npt.NDArray[np.int64], maps: Maps) -> None:
        """Blend patches in.

        Parameters
        ----------
        index : ndarray
            ``(N,) int64``, which of the plan's patches.
        maps : ndarray
            ``(N, edge, edge) float32``.
        """
        for (top, left), values in zip(self._plan.corners[index].tolist(), maps, strict=True):
            whole = Box((top, left), (top + self._plan.edge, left + self._plan.edge))
            part = whole.clip(self._plan.grid.shape)
            if part.size:
                own = part.shift((-top, -left)).slices
                self._sum[part.slices] += values[own] * self._window[own]
                self._weight[part.slices] += self._window[own]
                self.heat[part.slices] = self._sum[part.slices] / self._weight[part.slices]


def normalised(heat: Maps, percentile: float) -> tuple[Maps, float]:
    """Return a map divided by one of its high percentiles, clipped to 0…1, and that value.

    One scale for the whole region keeps its parts comparable; a percentile, because a single hot spot
    would leave everything else dark.
    """
    known = heat[np.isfinite(heat)]
    top = float(np.percentile(known, percentile)) if known.size else 0.0
    top = top if top > 0 else float(known.max(initial=0.0))
    scaled: Maps = np.clip(heat / top, 0, 1) if top > 0 else heat.copy()
    return scaled.astype(np.float32), top


def _cells_per_stride(region: Box, stride: tuple[int, ...]) -> int:
    cells = _CELLS_PER_STRIDE
    while cells > 1 and math.prod(n * cells / s for n, s in zip(region.shape, stride, strict=True)) > _MOST_CELLS:
        cells //= 2
    return cells


def _grid(region: Box, first: list[int], stride: tuple[int, ...], per_stride: int) -> tuple[HeatGrid, tuple[int, ...]]:
    """Return the map's grid, and the cells by which its corner lies inside that of the first patch."""
    step = tuple(s / per_stride for s in stride)
    origin = tuple(a * s for a, s in zip(first, stride, strict=True))
    low = tuple(math.floor((a - o) / d + 1e-9) for a, o, d in zip(region.start, origin, step, strict=True))
    high = tuple(math.ceil((b - o) / d - 1e-9) for b, o, d in zip(region.stop, origin, step, strict=True))
    start = tuple(o + a * d for o, a, d in zip(origin, low, step, strict=True))
    shape = (high[0] - low[0], high[1] - low[1])
    return HeatGrid(shape, (start[0], start[1]), (step[0], step[1])), low


def _touching(boxes: npt.NDArray[np.int64], roi: Region | None) -> npt.NDArray[np.bool_]:
    """Return which patches have one of 9 × 9 points in the region of interest."""
    if roi is None:
        return np.ones(len(boxes), bool)
    share = np.stack(np.meshgrid(*(np.linspace(0, 1, 9),) * 2, indexing="ij"), axis=-1).reshape(1, -1, 2)
    points = boxes[:, None, :2] + share * (boxes[:, None, 2:] - boxes[:, None, :2])
    touched: npt.NDArray[np.bool_] = np.any(roi.contains(points.reshape(-1, 2)).reshape(len(boxes), -1), axis=1)
    return touched
