"""Small slides for the tests of tiled sources."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_medpatch.io.pyramid import StoredLevel, level_downsamples

Pixels = npt.NDArray[np.uint8]


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    """Return smooth colours with a little noise; every region is different from every other."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    channels = [127 + 90 * np.sin(y / a + x / b) for a, b in ((31, 57), (83, 41), (47, 97))]
    noisy = np.stack(channels, axis=-1) + rng.normal(0, 6, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def shrunk(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return the picture stretched exactly onto a smaller grid by area averaging."""
    rows = _weights(pixels.shape[0], height)
    columns = _weights(pixels.shape[1], width)
    return np.rint(np.einsum("ay,yxc,bx->abc", rows, pixels.astype(np.float64), columns, optimize=True)).astype(
        np.uint8
    )


def _weights(length: int, wanted: int) -> npt.NDArray[np.float64]:
    """Return ``(wanted, length)`` overlaps of coarse and fine pixels, each row summing to 1."""
    step = length / wanted
    left = np.arange(wanted)[:, None] * step
    fine = np.arange(length)[None]
    overlap = np.clip(np.minimum(left + step, fine + 1) - np.maximum(left, fine), 0, None)
    return overlap / step


def write_pyramid(path: Path, levels: list[npt.NDArray[Any]], **options: Any) -> Path:
    """Write a TIFF with one page per level, tiled 64 × 64 unless told otherwise; 0.5 µm/px in its tags."""
    settings: dict[str, Any] = {
        "photometric": "rgb",
        "tile": (64, 64),
        "resolution": (20000, 20000),
        "resolutionunit": "CENTIMETER",
        "metadata": None,
    }
    settings.update(options)
    with tifffile.TiffWriter(path) as writer:
        for index, level in enumerate(levels):
            writer.write(level, subfiletype=1 if index else 0, **settings)
    return path


def tile_range(path: Path, page: int, index: int) -> tuple[int, int]:
    """Return offset and length of a tile's bytes in its file."""
    with tifffile.TiffFile(path) as tif:
        return tif.pages[page].dataoffsets[index], tif.pages[page].databytecounts[index]


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Write bytes into a file."""
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


class ArrayTiles:
    """A tile reader over arrays in memory, which counts what it decodes."""

    background = (250, 240, 230)

    def __init__(self, levels: list[Pixels], tile: tuple[int, int] = (32, 48)) -> None:
        self.arrays = levels
        shapes = [(a.shape[0], a.shape[1]) for a in levels]
        self.levels = tuple(
            StoredLevel(shape, downsample, tile)
            for shape, downsample in zip(shapes, level_downsamples(shapes), strict=True)
        )
        self.decoded: list[tuple[int, int, int]] = []
        self.closed = False

    def tile(self, level: int, row: int, column: int) -> Pixels:
        assert not self.closed
        self.decoded.append((level, row, column))
        height, width = self.levels[level].tile
        top, left = row * height, column * width
        return self.arrays[level][top : top + height, left : left + width].copy()

    def associated(self) -> dict[str, Any]:
        return {"label": lambda: self.arrays[-1][:5, :7].copy()}

    def close(self) -> None:
        self.closed = True
