"""A simulated whole-slide image with truth: a tiled, pyramidal TIFF of real JPEG tiles."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.samples.histology import Dyes, Stain, draw_stain, texture
from napari_medpatch.samples.slide_layout import NORMAL_TISSUES, Layout, draw_layout

TILE = 256
_PENS = ((20, 90, 60), (30, 50, 140), (25, 25, 30))


@dataclass(frozen=True, slots=True)
class SlideTruth:
    """What lies where on a simulated slide.

    Parameters
    ----------
    labels : (y, x) uint8
        Indices into :data:`napari_medpatch.samples.slide_layout.SLIDE_CLASSES`.
    downsample : (y, x) float
        Level-0 pixels per cell of ``labels``.
    tumour : tuple of (N, 2) float64
        Outlines of the tumour in level-0 pixels ``(y, x)``.
    """

    labels: NDArray[np.uint8]
    downsample: tuple[float, float]
    tumour: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True)
class _Painter:
    """Everything needed to paint any tile of the slide, alone and again."""

    layout: Layout
    stain: Stain
    textures: tuple[Dyes, ...]
    tumour: Dyes
    pen: tuple[int, int, int]
    seed: int

    def tile(self, top: int, left: int) -> NDArray[np.uint8]:
        """Return the tile whose first pixel is ``(top, left)``; beyond the slide there is glass."""
        rows, columns = top + np.arange(TILE), left + np.arange(TILE)
        classes = self.layout.classes(rows.astype(np.float64), columns.astype(np.float64))
        rng = np.random.default_rng([self.seed, top, left])
        if not classes.any():
            return self._grain(np.broadcast_to(self.stain.glass, (TILE, TILE, 3)), rng)
        side = len(self.tumour)
        place = np.ix_(rows % side, columns % side)
        kinds = self.layout.kinds(rows.astype(np.float64), columns.astype(np.float64))
        dyes = np.stack([part[place] for part in self.textures])
        chosen = np.take_along_axis(dyes, kinds[None, ..., None], 0)[0]
        beneath = self.layout.beneath(rows.astype(np.float64), columns.astype(np.float64))
        chosen = np.where((beneath == 2)[..., None], self.tumour[place], chosen) * (beneath > 0)[..., None]
        rgb = self.stain.colour(chosen).astype(np.float32)
        ink = np.array(self.pen, np.float32)
        rgb = np.where((classes == 3)[..., None], 0.25 * rgb + 0.75 * ink, rgb)
        return self._grain(rgb, rng)

    def _grain(self, rgb: NDArray[Any], rng: np.random.Generator) -> NDArray[np.uint8]:
        noisy = rgb + rng.standard_normal(rgb.shape, dtype=np.float32) * np.float32(1.5)
        pixels: NDArray[np.uint8] = np.clip(noisy, 0, 255).astype(np.uint8)
        return pixels


def make_slide(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] = (4096, 4096),
    mpp: float = 0.5,
    levels: int | None = None,
    seed: int = 0,
    quality: int = 85,
) -> SlideTruth:
    """Write a simulated H&E slide and return its truth.

    Tiles are painted and compressed one by one and coarser levels wait on disk, so that memory stays
    bounded at any size.

    Parameters
    ----------
    path : path-like
        TIFF file to write; replaced if it exists.
    size : (Y, X)
        Level-0 pixels.
    mpp : float
        Micrometres per pixel, written as resolution tags.
    levels : int, optional
        Number of levels, each half of the last; by default until one tile holds the slide.
    seed : int
        The same seed gives the same slide.
    quality : int
        Of the JPEG tiles.

    Raises
    ------
    GeometryError
        If a side is below 64 pixels or ``mpp`` is not positive.
    OutputError
        If the file cannot be written.
    """
    if min(size) < 64 or not mpp > 0:
        raise GeometryError(f"A slide of {size} pixels at {mpp} µm is impossible; use at least 64 pixels and mpp > 0.")
    painter = _painter(size, mpp, seed)
    count = levels or _levels(size)
    target = Path(path)
    with atomic_file(target) as temporary, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        _write(temporary, painter, size, mpp, count, quality, Path(scratch))
    return _truth(painter.layout)


def _painter(size: tuple[int, int], mpp: float, seed: int) -> _Painter:
    rng = np.random.default_rng(seed)
    layout, stain = draw_layout(size, rng), draw_stain(rng, 0.5)
    # The textures repeat after half a millimetre.
    side = int(np.clip(512 / mpp, 128, min(1024, max(size))))
    parts = tuple(texture(name, side, mpp, rng) for name in NORMAL_TISSUES)
    return _Painter(layout, stain, parts, texture("tumour", side, mpp, rng), _PENS[int(rng.integers(len(_PENS)))], seed)


def _levels(size: tuple[int, int]) -> int:
    return max(1, int(np.ceil(np.log2(max(size) / TILE))) + 1)


def _write(
    file: Path, painter: _Painter, size: tuple[int, int], mpp: float, levels: int, quality: int, scratch: Path
) -> None:
    import tifffile

    above: NDArray[np.uint8] | None = None
    with tifffile.TiffWriter(file, bigtiff=size[0] * size[1] > 1 << 30) as writer:
        for level in range(levels):
            shape = _level_shape(size, level)
            below = _scratch(scratch, _level_shape(size, level + 1), level) if level + 1 < levels else None
            tiles = _painted(painter, shape) if above is None else _stored(above, shape)
            scale = 2.0**level
            writer.write(
                _kept(tiles, shape, below),
                shape=(*shape, 3), dtype=np.uint8, tile=(TILE, TILE), photometric="rgb",
                compression="jpeg", compressionargs={"level": quality}, subfiletype=1 if level else 0,
                resolution=(1e4 / (mpp * scale), 1e4 / (mpp * scale)), resolutionunit="CENTIMETER",
                software="napari-medpatch", metadata=None,
            )  # fmt: skip
            above = below


def _level_shape(size: tuple[int, int], level: int) -> tuple[int, int]:
    return max(1, size[0] >> level), max(1, size[1] >> level)


def _scratch(folder: Path, shape: tuple[int, int], level: int) -> NDArray[np.uint8]:
    """Return a level that lies on disk, padded to whole tiles."""
    padded = [-(-n // TILE) * TILE for n in shape]
    return np.memmap(folder / f"level{level + 1}.raw", np.uint8, "w+", shape=(padded[0], padded[1], 3))


def _grid(shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for top in range(0, shape[0], TILE):
        for left in range(0, shape[1], TILE):
            yield top, left


def _painted(painter: _Painter, shape: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    return (painter.tile(top, left) for top, left in _grid(shape))


def _stored(level: NDArray[np.uint8], shape: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    return (np.array(level[top : top + TILE, left : left + TILE]) for top, left in _grid(shape))


def _kept(
    tiles: Iterator[NDArray[np.uint8]], shape: tuple[int, int], below: NDArray[np.uint8] | None
) -> Iterator[NDArray[np.uint8]]:
    """Pass tiles on and leave their 2×2 means in the next level."""
    half = TILE // 2
    for (top, left), tile in zip(_grid(shape), tiles, strict=True):
        if below is not None:
            mean = tile.reshape(half, 2, half, 2, 3).mean((1, 3)) + 0.5
            rows, columns = below[top // 2 : top // 2 + half, left // 2 : left // 2 + half].shape[:2]
            below[top // 2 : top // 2 + half, left // 2 : left // 2 + half] = mean[:rows, :columns].astype(np.uint8)
        yield tile


def _truth(layout: Layout) -> SlideTruth:
    """Sample the layout on a coarse grid and trace the tumour."""
    from skimage.measure import find_contours

    shape = layout.tissue.shape
    downsample = (layout.size[0] / shape[0], layout.size[1] / shape[1])
    places = [(np.arange(n) + 0.5) * d - 0.5 for n, d in zip(shape, downsample, strict=True)]
    labels = layout.classes(places[0], places[1])
    padded = np.pad(np.minimum(layout.tumour, layout.tissue), 1, constant_values=-1)
    outlines = find_contours(padded, 0.0)
    return SlideTruth(labels, downsample, tuple((line - 0.5) * downsample - 0.5 for line in outlines))
