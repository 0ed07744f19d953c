"""A small picture of a whole slide, averaged from the level that is just fine enough."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.io.source import Source, finest_level_at_least

_BLOCK_PX = 2048
"""Edge of one read in level pixels: 12 MB of RGB, a tenth of a second of JPEG decoding."""

_FILLING_SHARE = 0.97
"""Of the work, where coarse levels must be computed from full resolution."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A low-resolution picture and where it lies.

    Parameters
    ----------
    rgb : ndarray
        ``(Y, X, 3) float32``, 0…255.
    downsample : tuple of float
        Level-0 pixels per overview pixel, ``(y, x)``; exact, never rounded.
    """

    rgb: npt.NDArray[np.float32]
    downsample: tuple[float, float]


def working_downsample(source: Source, fine_um: float = 4.0, longest_px: int = 2048) -> float:
    """Return a resolution at which tissue is easy to see and cheap to read.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    fine_um : float
        Finer pixels than this many µm only show texture.
    longest_px : int
        Longest edge of the overview at most.

    Returns
    -------
    float
        Level-0 pixels per overview pixel, at least 1. Images of unknown pixel size and small images
        keep a longest edge of at least 512 pixels.
    """
    longest = max(source.levels[0].shape)
    spacing = source.spacing
    fine = fine_um / spacing.mean if spacing is not None else longest / 1024
    return max(1.0, longest / longest_px, min(fine, longest / 512))


def read_overview(source: Source, downsample: float) -> Iterator[float | Overview]:
    """Read the overview block by block.

    Parameters
    ----------
    source : Source
        A slide or photograph, ``(Y, X, 3) uint8``.
    downsample : float
        Wanted level-0 pixels per pixel; the real one is a whole number of pixels of a stored level and
        at most this.

    Yields
    ------
    float or Overview
        The finished fraction after each block, the overview at last.
    """
    # A slide without a pyramid computes its coarse levels first, in steps that can be stopped.
    share = 0.0
    for done, pieces in getattr(source, "fill_overview", tuple)():
        share = _FILLING_SHARE * done / pieces
        yield share
    index = finest_level_at_least(source, downsample)
    level = source.levels[index]
    y_factor, x_factor = level.downsample
    step = max(1, int(downsample / max(y_factor, x_factor) + 1e-6))
    shape = tuple(math.ceil(n / step) for n in level.shape)
    rgb = np.empty((*shape, 3), np.float32)
    block = max(1, _BLOCK_PX // step)
    for top, bottom in split_axis(shape[0], block):
        for left, right in split_axis(shape[1], block):
            rgb[top:bottom, left:right] = _average(source, index, Box((top, left), (bottom, right)), step)
            yield share + (1 - share) * (top * shape[1] + (bottom - top) * right) / (shape[0] * shape[1])
    yield Overview(rgb, (y_factor * step, x_factor * step))


def _average(source: Source, index: int, cells: Box, step: int) -> npt.NDArray[np.float32]:
    """Return the mean colour of each cell of ``step`` pixels; cells at the edge use the pixels that exist."""
    wanted = Box(tuple(a * step for a in cells.start), tuple(b * step for b in cells.stop))
    pixels = source.read(index, wanted.clip(source.levels[index].shape))
    missing = [(0, w - n) for w, n in zip(wanted.shape, pixels.shape[:2], strict=True)]
    if any(after for _, after in missing):
        pixels = np.pad(pixels, (*missing, (0, 0)), mode="edge")
    height, width = cells.shape
    sums = pixels.reshape(height, step, width, step, 3).sum(axis=(1, 3), dtype=np.uint32)
    mean: npt.NDArray[np.float32] = (sums / (step * step)).astype(np.float32)
    return mean
