"""The regular grid of patches that a classifier looks at."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError, GeometryError, MissingSpacingError
from napari_medpatch.geometry import Box, GridTransform, Spacing, derived_grid
from napari_medpatch.io.source import Source
from napari_medpatch.models.card import ModelCard
from napari_medpatch.patches.tissue import TissueMask

_SMALLEST_PATCH = 8
"""A patch of fewer pixels shows nothing: the pixel size or the model is wrong."""

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


@dataclass(frozen=True, slots=True)
class PatchScale:
    """How large a model's patch is in an image.

    Parameters
    ----------
    patch_px : tuple of int
        Extent in level-0 pixels, ``(y, x)``.
    downsample : float
        Level-0 pixels per pixel at the model's spacing, along the axis where that is smaller.
    note : str
        What the user should know about it, one sentence; empty if nothing.
    """

    patch_px: tuple[int, int]
    downsample: float
    note: str = ""


def patch_scale(source: Source, card: ModelCard, *, exact: bool = False) -> PatchScale:
    """Translate a model's patch size into pixels of an image.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    card : ModelCard
        Of a patch classifier.
    exact : bool
        Use the mean of the two pixel sizes, as WSInfer does; otherwise each axis has its own.

    Raises
    ------
    MissingSpacingError
        If the pixel size of a slide is unknown.
    GeometryError
        If a patch would be only a few pixels wide.
    BundleError
        If the model does not say at which size and spacing it looks.
    """
    size, wanted = card.patch_size_pixels, card.spacing_um_px
    if card.task != "patch-classifier" or not size or not wanted:
        raise BundleError(f"Model {card.name} is a {card.task} model, not a patch classifier; choose another model.")
    spacing = source.spacing
    if spacing is None:
        if source.kind != "photo":
            raise MissingSpacingError(
                f"{source.path.name} does not say how large its pixels are, and {card.name} needs "
                f"{wanted:g} µm per pixel; give the size with --mpp or in the field 'Pixel size'."
            )
        note = (
            f"{source.path.name} has no pixel size: patches of {card.name} are {size} × {size} of its own "
            f"pixels, whatever their physical size."
        )
        return PatchScale((size, size), 1.0, note)
    mpp = (spacing.mean, spacing.mean) if exact else spacing.values
    patch = tuple(round(size * wanted / value) for value in mpp)
    if min(patch) < _SMALLEST_PATCH:
        raise GeometryError(
            f"A patch of {card.name} ({size} pixels of {wanted:g} µm) is only {min(patch)} pixels wide in "
            f"{source.path.name} (pixels of {spacing.mean:g} µm, from {spacing.origin}); "
            "give the real size with --mpp or in the field 'Pixel size'."
        )
    note = ""
    if spacing.mean > 1.5 * wanted:
        note = (
            f"{source.path.name} is coarser ({spacing.mean:g} µm per pixel) than {card.name} expects "
            f"({wanted:g} µm): patches are enlarged and scores less certain."
        )
    return PatchScale((patch[0], patch[1]), wanted / max(mpp), note)


def make_grid(
    source: Source,
    card: ModelCard,
    tissue: TissueMask,
    overlap: float = 0.0,
    *,
    min_tissue: float | None = None,
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
        Share of a patch that its neighbour covers too, below 1; negative values leave gaps (-1 skips
        every other patch).
    min_tissue : float, optional
        Take patches with at least this share of tissue. By default a patch is taken when its centre
        lies on tissue, as in WSInfer.
    exact : bool
        WSInfer's patch size (mean pixel size).

    Returns
    -------
    PatchGrid
        Possibly without cells. Patches lie as WSInfer's: from the top left corner, wherever the centre
        is inside the image. An image smaller than a patch gets one patch.

    Raises
    ------
    GeometryError
        If ``overlap`` is 1 or more, or a patch would be only a few pixels wide.
    MissingSpacingError
        If the pixel size of a slide is unknown.
    """
    if not overlap < 1 or not math.isfinite(overlap):
        raise GeometryError(f"Overlap {overlap} must be below 1 (0 for none, negative for gaps).")
    scale = patch_scale(source, card, exact=exact)
    shape = source.levels[0].shape
    stride = tuple(max(1, round((1 - overlap) * p)) for p in scale.patch_px)
    rows, cols = (
        max(1, math.ceil((n - round(p / 2)) / s)) for n, p, s in zip(shape, scale.patch_px, stride, strict=True)
    )
    whole = PatchGrid(rows, cols, scale.patch_px, (stride[0], stride[1]), (0, 0), np.empty((0, 2), np.int64))
    keep = _on_tissue(whole, tissue, (shape[0], shape[1]), min_tissue)
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


def _on_tissue(
    grid: PatchGrid, tissue: TissueMask, shape: tuple[int, int], min_tissue: float | None
) -> npt.NDArray[np.int64]:
    """Return the cells that the rule accepts, row-major; works on bands of rows to bound memory."""
    kept = []
    band = max(1, 1_000_000 // grid.cols)
    for top in range(0, grid.rows, band):
        rows = np.arange(top, min(top + band, grid.rows))
        cells = np.stack(np.meshgrid(rows, np.arange(grid.cols), indexing="ij"), axis=-1).reshape(-1, 2)
        kept.append(cells[_accepted(grid.boxes(cells), grid, tissue, shape, min_tissue)])
    return np.concatenate(kept).astype(np.int64)


def _accepted(
    boxes: npt.NDArray[np.int64],
    grid: PatchGrid,
    tissue: TissueMask,
    shape: tuple[int, int],
    min_tissue: float | None,
) -> npt.NDArray[np.bool_]:
    if grid.rows == grid.cols == 1 and all(p >= n for p, n in zip(grid.patch_px, shape, strict=True)):
        return tissue.fraction(boxes) > 0
    if min_tissue is not None:
        return tissue.fraction(boxes) >= max(min_tissue, 1e-9)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    # Only an image thinner than half a patch has a centre outside.
    return tissue.contains(np.where(centres < shape, centres, np.asarray(shape) / 2))
