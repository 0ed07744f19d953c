"""The regular grid of patches that a classifier looks at."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError, MissingSpacingError
from napari_medpatch.geometry import Box, GridTransform, Spacing, derived_grid
from napari_medpatch.io.source import Source
from napari_medpatch.models.card import ModelCard
from napari_medpatch.patches.presets import Tiling, tiling_named
from napari_medpatch.patches.roi import Region
from napari_medpatch.patches.scale import PatchScale, patch_scale
from napari_medpatch.patches.tissue import TissueMask

__all__ = ["REGION_PX", "PatchGrid", "PatchScale", "in_blocks", "make_grid", "patch_scale"]

REGION_PX = 1024
"""Patches are visited in squares of at most this many pixels of the level that is read."""


@dataclass(frozen=True, slots=True, eq=False)
class PatchGrid:
    """Cells of a regular grid over level 0, and which of them are looked at.

    Parameters
    ----------
    rows, cols : int
        Size of the whole grid.
    patch_px : tuple of int
        Extent of a patch in level-0 pixels, ``(y, x)``.
    stride_px : tuple of int
        Level-0 pixels from one patch to the next, ``(y, x)``.
    origin : tuple of int
        First level-0 pixel of cell ``(0, 0)``.
    cells : ndarray
        ``(N, 2) int64``, row and column of the chosen cells in the order of visit: square block by
        square block, so that each tile of the file is decoded once.
    """

    rows: int
    cols: int
    patch_px: tuple[int, int]
    stride_px: tuple[int, int]
    origin: tuple[int, int]
    cells: npt.NDArray[np.int64]

    def boxes(self, cells: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.int64]:
        """Return ``y0, x0, y1, x1`` in level-0 pixels of ``cells`` (all chosen ones by default).

        Patches may reach beyond the right and bottom edge of the image, as WSInfer's do.
        """
        chosen = self.cells if cells is None else cells
        start = np.asarray(self.origin) + chosen * np.asarray(self.stride_px)
        return np.concatenate([start, start + np.asarray(self.patch_px)], axis=1).astype(np.int64)

    def box(self, row: int, col: int) -> Box:
        """Return one cell's patch."""
        y0, x0, y1, x1 = self.boxes(np.array([[row, col]], np.int64))[0].tolist()
        return Box((y0, x0), (y1, x1))

    def transform(self, spacing: Spacing | None) -> GridTransform:
        """Return the scale and translation that lay the grid over the source, in its unit or pixels."""
        pixel = spacing.values if spacing is not None else (1.0, 1.0)
        return derived_grid(self.stride_px, pixel, self.origin, self.patch_px)


def make_grid(
    source: Source,
    card: ModelCard,
    tissue: TissueMask,
    overlap: float = 0.0,
    *,
    stride_um: float | None = None,
    tiling: str = "wsinfer",
    min_tissue: float | None = None,
    roi: Region | None = None,
    exact: bool = False,
) -> PatchGrid:
    """Lay patches over an image and choose those on tissue.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    card : ModelCard
        Of a patch classifier; its patch size at its spacing decides the size of a cell.
    tissue : TissueMask
        Where to look.
    overlap : float
        Share of a patch that its neighbour covers too, below 1; negative values leave gaps (-1: every other patch).
    stride_um : float, optional
        From one patch to the next in µm, instead of ``overlap``; more than a patch leaves gaps.
    tiling : str
        Name of a rule in :data:`napari_medpatch.patches.presets.TILINGS`: size and place of the patches,
        and which are taken.
    min_tissue : float, optional
        Take patches with at least this share of tissue, instead of the tiling's rule.
    roi : Region, optional
        Take only patches whose centre is inside.
    exact : bool
        WSInfer's patch size (mean pixel size).

    Returns
    -------
    PatchGrid
        Possibly without cells. An image smaller than a patch gets one patch.

    Raises
    ------
    GeometryError
        If ``overlap`` is 1 or more, ``stride_um`` is not positive, there is no such tiling, or a patch would
        be only a few pixels wide.
    MissingSpacingError
        If the pixel size of a slide is unknown.
    """
    rule = tiling_named(tiling)
    scale = patch_scale(source, card, exact=exact, tiling=tiling)
    shape = source.levels[0].shape
    stride = _stride(source, scale.patch_px, overlap, stride_um, exact=exact)
    rows, cols = _cell_counts(shape, scale.patch_px, stride, rule)
    whole = PatchGrid(rows, cols, scale.patch_px, stride, (0, 0), np.empty((0, 2), np.int64))
    keep = _Rule((shape[0], shape[1]), tissue, rule, min_tissue, roi).chosen(whole)
    region = REGION_PX * max(1.0, scale.downsample)
    block = tuple(1 + max(0, int((region - p) / s)) for p, s in zip(scale.patch_px, stride, strict=True))
    cells = in_blocks(keep, block)
    return PatchGrid(rows, cols, whole.patch_px, whole.stride_px, whole.origin, cells)


def in_blocks(cells: npt.NDArray[np.int64], block: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Order cells block by block (rows of blocks, then within a block row by row).

    Parameters
    ----------
    cells : ndarray
        ``(N, 2) int64``, row and column.
    block : tuple of int
        Cells per block, ``(rows, cols)``.
    """
    which = cells // np.asarray(block)
    order = np.lexsort((cells[:, 1], cells[:, 0], which[:, 1], which[:, 0]))
    ordered: npt.NDArray[np.int64] = cells[order]
    return ordered


def _cell_counts(
    shape: tuple[int, ...], patch_px: tuple[int, int], stride: tuple[int, int], rule: Tiling
) -> Iterator[int]:
    """Yield how many patches begin, or have their centre, inside the image along each axis."""
    ends = [0 if rule.cover == "corners" else round(p / 2) for p in patch_px]
    return (max(1, math.ceil((n - e) / s)) for n, e, s in zip(shape, ends, stride, strict=True))


def _stride(
    source: Source, patch_px: tuple[int, int], overlap: float, stride_um: float | None, *, exact: bool
) -> tuple[int, int]:
    """Return level-0 pixels from patch to patch, at least 1."""
    if stride_um is None:
        if not overlap < 1 or not math.isfinite(overlap):
            raise GeometryError(f"Overlap {overlap} must be below 1 (0 for none, negative for gaps).")
        return max(1, round((1 - overlap) * patch_px[0])), max(1, round((1 - overlap) * patch_px[1]))
    if not stride_um > 0 or not math.isfinite(stride_um):
        raise GeometryError(f"A stride of {stride_um} µm is not possible; give µm from one patch to the next.")
    if source.spacing is None:
        raise MissingSpacingError(
            f"A stride of {stride_um:g} µm needs the pixel size of {source.path.name}, which it does not say; "
            "give the size with --mpp or in the field 'Pixel size', or an overlap instead."
        )
    mpp = (source.spacing.mean,) * 2 if exact else source.spacing.values
    return max(1, round(stride_um / mpp[0])), max(1, round(stride_um / mpp[1]))


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which patches are taken, on an image of ``shape``."""

    shape: tuple[int, int]
    tissue: TissueMask
    tiling: Tiling
    min_tissue: float | None
    roi: Region | None

    def chosen(self, grid: PatchGrid) -> npt.NDArray[np.int64]:
        """Return the cells that are taken, row-major; works on bands of rows to bound memory."""
        kept = []
        band = max(1, 1_000_000 // grid.cols)
        for top in range(0, grid.rows, band):
            rows = np.arange(top, min(top + band, grid.rows))
            cells = np.stack(np.meshgrid(rows, np.arange(grid.cols), indexing="ij"), axis=-1).reshape(-1, 2)
            kept.append(cells[self._accepted(grid, cells)])
        return np.concatenate(kept).astype(np.int64)

    def _accepted(self, grid: PatchGrid, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        boxes = grid.boxes(cells)
        if grid.rows == grid.cols == 1 and all(p >= n for p, n in zip(grid.patch_px, self.shape, strict=True)):
            inside = self.roi is None or self.roi.meets(self.shape)
            return (self.tissue.fraction(boxes) > 0) & inside
        half = [round(p / 2) for p in grid.patch_px]
        centres = (boxes[:, :2] + half).astype(np.float64)
        # Only an image thinner than half a patch has a centre outside.
        centres = np.where(centres < self.shape, centres, np.asarray(self.shape) / 2)
        if self.roi is None:
            return self._on_tissue(boxes, centres)
        taken = self.roi.contains(centres)
        taken[taken] = self._on_tissue(boxes[taken], centres[taken])
        return taken

    def _on_tissue(self, boxes: npt.NDArray[np.int64], centres: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        if self.min_tissue is not None:
            return self.tissue.fraction(boxes) >= max(self.min_tissue, 1e-9)
        if self.tiling.max_blank is not None:
            return 1 - self.tissue.fraction(boxes) < self.tiling.max_blank - 1e-9
        return self.tissue.contains(centres)
