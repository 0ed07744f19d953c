"""Simulated slides as large as scanners make them, written in seconds to a small file.

Tiles are built from few pieces: glass, the inside of each tissue, and tissue's edge in the 16 ways it can cross
a tile. A coarser tile is the mean of four finer ones, so equal fours give equal tiles, and each different tile is
painted, compressed and stored once (see :mod:`napari_medpatch.samples.shared_tiff`). Every level shows the same
picture.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.samples.histology import Dyes, Stain, draw_stain, texture
from napari_medpatch.samples.shapes import Field, smooth_noise
from napari_medpatch.samples.shared_tiff import SharedLevel, write_shared_tiff

KINDS = ("tumour", "stroma", "glands")
_PHASES = 2  # a texture repeats after this many tiles
_Tiles = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class HugeSlide:
    """What lies where on such a slide.

    Parameters
    ----------
    size : (Y, X)
        Level-0 pixels.
    tile : int
        Side of a tile.
    cover : (rows, columns) float32
        Tissue's share of each level-0 tile.
    kinds : (rows, columns) uint8
        Index into :data:`KINDS` where there is tissue.
    different : tuple of int
        How many different tiles each stored level has.
    """

    size: tuple[int, int]
    tile: int
    cover: Field
    kinds: _Tiles
    different: tuple[int, ...]

    @property
    def tissue_share(self) -> float:
        """Tissue's share of the slide."""
        return float(self.cover.mean())


def make_huge_slide(
    path: str | os.PathLike[str],
    size: tuple[int, int] = (80_000, 100_000),
    *,
    tissue: Literal["islands", "block"] = "islands",
    tissue_share: float = 0.25,
    mpp: float = 0.25,
    levels: int | None = None,
    factor: int = 4,
    tile: int = 256,
    seed: int = 0,
    quality: int = 80,
) -> HugeSlide:
    """Write a JPEG-tiled pyramidal BigTIFF and return where its tissue is.

    Parameters
    ----------
    path : path-like
        File to write; replaced if it exists.
    size : (Y, X)
        Level-0 pixels; the default is a slide of 25 × 20 mm at 40×.
    tissue : {"islands", "block"}
        Ragged pieces of tissue, or one rectangle of the slide's shape in its middle.
    tissue_share : float
        Tissue's share of the slide, 0 to 1; islands meet it within a tile at their edges.
    mpp : float
        µm per level-0 pixel.
    levels : int, optional
        Stored levels; by default until no side is longer than 2048. 1 makes a flat file.
    factor : int
        From one stored level to the next: 2, 4, 8 or another power of two.
    tile : int
        Side of a tile, a multiple of 16.
    seed : int
        The same arguments give the same file.
    quality : int
        Of the JPEG tiles.

    Raises
    ------
    GeometryError
        If an argument is out of range.
    OutputError
        If the file cannot be written.
    """
    _check(size, tissue_share, mpp, factor, tile)
    rng = np.random.default_rng(seed)
    grid = (-(-size[0] // tile), -(-size[1] // tile))
    corners = _corners(grid, tissue, tissue_share, rng)
    codes, kinds = _codes(corners, grid)
    painter = _Painter(draw_stain(rng, 0.3), _textures(tile, mpp, rng), tile, seed)
    count = levels if levels is not None else _level_count(size, factor)
    different: list[int] = []
    with atomic_file(Path(path)) as temporary:
        pages = _levels(codes, painter, size, count, factor, mpp, quality, different)
        write_shared_tiff(temporary, pages, tile, f"napari_medpatch simulated slide, seed {seed}")
    return HugeSlide(size, tile, _cover(corners, grid), kinds, tuple(different))


@dataclass(frozen=True, slots=True)
class _Painter:
    """Paints the tile of a code: its four corners, kind of tissue and place in the texture."""

    stain: Stain
    textures: tuple[Dyes, ...]
    tile: int
    seed: int

    def paint(self, code: int) -> _Tiles:
        rest, phase = divmod(code, _PHASES**2)
        kind, case = divmod(rest, 16)
        place = (np.arange(self.tile) + 0.5) / self.tile
        inside = _between(*_bits(case), place) > 0
        row, column = (self.tile * n for n in divmod(phase, _PHASES))
        dyes = self.textures[kind][row : row + self.tile, column : column + self.tile] * inside[..., None]
        grain = np.random.default_rng([self.seed, code]).standard_normal((self.tile, self.tile, 1), np.float32)
        rgb: _Tiles = np.clip(self.stain.colour(dyes) + 1.5 * grain, 0, 255).astype(np.uint8)
        return rgb


def _check(size: tuple[int, int], share: float, mpp: float, factor: int, tile: int) -> None:
    if min(size) < 1 or not mpp > 0 or not 0 <= share <= 1:
        raise GeometryError(f"A slide of {size} pixels at {mpp} µm with a share of tissue of {share} is impossible.")
    if factor < 2 or factor & (factor - 1) or tile < 16 or tile % 16:
        raise GeometryError(f"Levels by {factor} and tiles of {tile} are impossible; use a power of 2 and n × 16.")


def _level_count(size: tuple[int, int], factor: int) -> int:
    count = 1
    while max(size) / factor ** (count - 1) > 2048:
        count += 1
    return count


def _textures(tile: int, mpp: float, rng: np.random.Generator) -> tuple[Dyes, ...]:
    return tuple(texture(kind, _PHASES * tile, mpp, rng) for kind in KINDS)


def _corners(grid: tuple[int, int], tissue: str, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which corners of the level-0 tiles lie in tissue, ``(rows + 1, columns + 1)``."""
    shape = (grid[0] + 1, grid[1] + 1)
    if share in (0, 1):
        return np.full(shape, bool(share))
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    if tissue == "block":
        block: NDArray[np.bool_] = np.maximum(abs(y), abs(x)) <= np.sqrt(share)
        return block
    side = min(shape)
    field = smooth_noise(shape, side / 3, rng) + 0.15 * smooth_noise(shape, side / 12, rng)
    # Tissue keeps off the slide's edge unless there is more of it than middle.
    field = field - 4 * np.hypot(y, x) ** 4
    inside: NDArray[np.bool_] = field >= np.quantile(field, 1 - share)
    return inside


def _codes(corners: NDArray[np.bool_], grid: tuple[int, int]) -> tuple[NDArray[np.int64], _Tiles]:
    """Return the code of every level-0 tile, and its kind of tissue: one per island."""
    from scipy.ndimage import label

    islands = label(corners)[0].astype(np.int64)
    four = [islands[r : r + grid[0], c : c + grid[1]] for r in (0, 1) for c in (0, 1)]
    case = sum((part > 0).astype(np.int64) << bit for bit, part in enumerate(four))
    kind = np.where(case, (np.max(four, axis=0) - 1) % len(KINDS), 0)
    rows, columns = np.indices(grid)
    phase = rows % _PHASES * _PHASES + columns % _PHASES
    return (kind * 16 + case) * _PHASES**2 + phase, kind.astype(np.uint8)


def _bits(case: int) -> tuple[float, float, float, float]:
    a, b, c, d = (1.0 if case >> bit & 1 else -1.0 for bit in range(4))
    return a, b, c, d


def _between(a: float, b: float, c: float, d: float, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the bilinear surface over the corners upper left, upper right, lower left and lower right."""
    top, bottom = a + (b - a) * place, c + (d - c) * place
    surface: NDArray[np.float64] = top + (bottom - top) * place[:, None]
    return surface


def _cover(corners: NDArray[np.bool_], grid: tuple[int, int]) -> Field:
    """Return tissue's share of every tile."""
    place = (np.arange(64) + 0.5) / 64
    shares = np.array([(_between(*_bits(case), place) > 0).mean() for case in range(16)], np.float32)
    four = [corners[r : r + grid[0], c : c + grid[1]].astype(np.int64) for r in (0, 1) for c in (0, 1)]
    cover: Field = shares[sum(part << bit for bit, part in enumerate(four))]
    return cover


def _levels(
    codes: NDArray[np.int64],
    painter: _Painter,
    size: tuple[int, int],
    count: int,
    factor: int,
    mpp: float,
    quality: int,
    different: list[int],
) -> Iterator[SharedLevel]:
    """Yield the stored levels; what lies between them is only passed through."""
    import imagecodecs

    found, ids = np.unique(codes, return_inverse=True)
    ids = ids.reshape(codes.shape)
    tiles = [painter.paint(int(code)) for code in found]
    for level in range(count):
        scale = factor**level
        shape = (max(1, size[0] // scale), max(1, size[1] // scale))
        jpegs = tuple(bytes(imagecodecs.jpeg_encode(t, level=quality, subsampling="420")) for t in tiles)
        grid = tuple(-(-n // painter.tile) for n in shape)
        different.append(len(jpegs))
        yield SharedLevel(shape, ids[: grid[0], : grid[1]], jpegs, mpp * scale)
        if level + 1 < count:
            for _ in range(factor.bit_length() - 1):
                ids, tiles = _coarser(ids, tiles)


def _coarser(ids: NDArray[np.int64], tiles: list[_Tiles]) -> tuple[NDArray[np.int64], list[_Tiles]]:
    """Join four tiles to one of half the resolution; beyond the slide its last tiles are repeated."""
    from napari_medpatch.io.pyramid import halve

    padded = np.pad(ids, [(0, n % 2) for n in ids.shape], mode="edge")
    four = np.stack([padded[r::2, c::2] for r in (0, 1) for c in (0, 1)], axis=-1)
    found, coarser = np.unique(four.reshape(-1, 4), axis=0, return_inverse=True)
    halves = [halve(t) for t in tiles]
    joined = [_join(halves, (a, b, c, d)) for a, b, c, d in found]
    return coarser.reshape(four.shape[:2]), joined


def _join(parts: list[_Tiles], four: tuple[int, int, int, int]) -> _Tiles:
    a, b, c, d = (parts[index] for index in four)
    return np.concatenate([np.concatenate([a, b], axis=1), np.concatenate([c, d], axis=1)])
