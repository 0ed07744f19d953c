"""Which resolutions a slide offers: those in its file and, where steps are wide, synthetic halvings between them."""

from dataclasses import dataclass

import numpy as np

from napari_medpatch.io.source import Level
from napari_medpatch.io.tile_cache import Tile

COARSEST_SIDE = 1024
"""Synthetic levels go on until no side is longer: napari loads the coarsest level as a whole."""

# Stored levels further apart than this get halvings between them.
_WIDE_STEP = 2.6
# An overview is computed from this many pixels in about half a second.
_QUICK_PIXELS = 1 << 26


@dataclass(frozen=True, slots=True)
class StoredLevel:
    """A level in the file.

    Parameters
    ----------
    shape : tuple of int
        ``(Y, X)`` pixels.
    downsample : tuple of float
        Level-0 pixels per pixel, ``(y, x)``.
    tile : tuple of int
        ``(y, x)`` size of the pieces that decode best.
    """

    shape: tuple[int, int]
    downsample: tuple[float, float]
    tile: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PlannedLevel:
    """A level as the source offers it.

    Parameters
    ----------
    level : Level
        Shape and downsample.
    tile : tuple of int
        ``(y, x)``.
    stored : int or None
        Index among the stored levels; None when computed from the next finer level by averaging 2 × 2.
    """

    level: Level
    tile: tuple[int, int]
    stored: int | None


def plan_levels(stored: tuple[StoredLevel, ...]) -> tuple[PlannedLevel, ...]:
    """Return stored levels with synthetic ones between and below them.

    Parameters
    ----------
    stored : tuple of StoredLevel
        At least one, finest first.
    """
    plan: list[PlannedLevel] = []
    for index, here in enumerate(stored):
        plan.append(PlannedLevel(Level(here.shape, here.downsample), here.tile, index))
        coarser = stored[index + 1] if index + 1 < len(stored) else None
        while _needs_halving(plan[-1].level, coarser):
            plan.append(_halving(plan[-1]))
    return tuple(plan)


def overview_note(stored: tuple[StoredLevel, ...]) -> str:
    """Return a note if the overview must be computed from very many pixels, ``""`` otherwise."""
    if not needs_overview(stored):
        return ""
    height, width = stored[-1].shape
    return (
        f"The smallest picture in the file has {width} × {height} pixels; the overview is computed from it and fills "
        "in while you look. A pyramidal TIFF opens at once."
    )


def needs_overview(stored: tuple[StoredLevel, ...]) -> bool:
    """Return whether coarse levels must be computed from so many pixels that nobody should wait for it."""
    height, width = stored[-1].shape
    return height * width > _QUICK_PIXELS


def _needs_halving(level: Level, coarser: StoredLevel | None) -> bool:
    if coarser is None:
        return max(level.shape) > COARSEST_SIDE
    step = max(c / d for c, d in zip(coarser.downsample, level.downsample, strict=True))
    return step > _WIDE_STEP


def _halving(finer: PlannedLevel) -> PlannedLevel:
    shape = tuple(-(-n // 2) for n in finer.level.shape)
    downsample = tuple(2 * d for d in finer.level.downsample)
    tile = (min(finer.tile[0], shape[0]), min(finer.tile[1], shape[1]))
    return PlannedLevel(Level(shape, downsample), tile, None)


def halve(pixels: Tile) -> Tile:
    """Average blocks of 2 × 2 pixels.

    Parameters
    ----------
    pixels : ndarray
        ``(Y, X, 3) uint8``. An odd last row or column is averaged with itself, which leaves the mean of the
        pixels that exist.

    Returns
    -------
    ndarray
        ``(ceil(Y / 2), ceil(X / 2), 3) uint8``, rounded half up.
    """
    odd = pixels.shape[0] % 2, pixels.shape[1] % 2
    if any(odd):
        pixels = np.pad(pixels, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
    rows = np.add(pixels[0::2], pixels[1::2], dtype=np.uint16)
    halved = np.empty((rows.shape[0], rows.shape[1] // 2, rows.shape[2]), dtype=np.uint8)
    for channel in range(rows.shape[2]):  # three times as fast as all channels at once
        total = rows[:, 0::2, channel] + rows[:, 1::2, channel]
        total += 2
        total >>= 2
        halved[..., channel] = total
    return halved


def level_downsamples(shapes: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return the downsample of each level from the real shapes, y and x apart, never rounded.

    Parameters
    ----------
    shapes : list of tuple of int
        ``(Y, X)`` of each level, finest first.

    Notes
    -----
    Writers truncate: 2967 rows at 1/8 become 370 although 370.9 are meant, and the ratio of shapes is then
    8.019. It is what OpenSlide reports (as a mean over both axes) and how napari stretches levels over each
    other, and it is less than one pixel of the level off at the far corner.
    """
    height, width = shapes[0]
    return [(height / h, width / w) for h, w in shapes]
