"""OpenSlide and the stored pages as judges of our pixels; TIFFs with shared JPEG tables or missing tiles."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import openslide
import tifffile
from slide_cases import Pixels

from napari_medpatch.geometry import Box
from napari_medpatch.io.openslide_tiles import flatten

APERIO = "Aperio Image Library v10.0.51\n{0}x{1} [0,0 {0}x{1}] (256x256) J2K/KDU Q=70|AppMag = 20|MPP = 0.4990"
WHITE = (255, 255, 255)


def random_boxes(shape: tuple[int, ...], count: int, seed: int = 5) -> list[Box]:
    """Return boxes of up to 300 pixels a side; some hang over the edges."""
    rng = np.random.default_rng(seed)
    starts = [rng.integers(-40, n, count) for n in shape]
    sides = [rng.integers(1, min(n, 300) + 1, count) for n in shape]
    return [Box((int(y), int(x)), (int(y + h), int(x + w))) for y, x, h, w in zip(*starts, *sides, strict=True)]


def openslide_box(slide: openslide.OpenSlide, level: int, box: Box) -> Pixels:
    """Read a box of a level whose downsample is whole, so that its corner lies on a level-0 pixel."""
    location = tuple(round(a * slide.level_downsamples[level]) for a in box.start[::-1])
    return flatten(np.asarray(slide.read_region(location, level, box.shape[::-1])), WHITE)


def openslide_level(slide: openslide.OpenSlide, level: int) -> Pixels:
    """Read a whole level at once.

    OpenSlide addresses pixels of a level by level-0 coordinates. At a fractional downsample most pixels have
    none, and it blends neighbours instead; only reading from the corner (0, 0) gives the level as it is stored.
    """
    return flatten(np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level])), WHITE)


def padded(level: Pixels, box: Box) -> Pixels:
    """Cut a box out of a level; beyond its edge there is white."""
    result = np.full((*box.shape, 3), 255, np.uint8)
    inside = box.clip(level.shape[:2])
    result[inside.shift([-a for a in box.start]).slices] = level[inside.slices]
    return result


def stored_levels(source: Any) -> list[int]:
    """Return the indices of the levels that are in the file."""
    return [index for index, made in enumerate(source.synthetic) if not made]


def blocks(pixels: Pixels, missing: tuple[int, ...] = (), tile: int = 256) -> Iterator[Pixels | None]:
    """Yield tiles, None for the missing ones."""
    count = 0
    for y in range(0, pixels.shape[0], tile):
        for x in range(0, pixels.shape[1], tile):
            part = pixels[y : y + tile, x : x + tile]
            padding = [(0, tile - part.shape[0]), (0, tile - part.shape[1]), (0, 0)]
            yield None if count in missing else np.pad(part, padding, mode="edge")
            count += 1


def write_sparse(path: Path, levels: list[Pixels], missing: list[tuple[int, ...]], **options: Any) -> Path:
    """Write a tiled pyramid without some of its tiles (never the first, tifffile wants that one)."""
    with tifffile.TiffWriter(path) as writer:
        for index, (pixels, gone) in enumerate(zip(levels, missing, strict=True)):
            writer.write(
                blocks(pixels, gone), shape=pixels.shape, dtype=np.uint8, tile=(256, 256), photometric="rgb",
                metadata=None, subfiletype=index if path.suffix == ".tif" else 0,
                resolution=(20000, 20000), resolutionunit="CENTIMETER", **options,
            )  # fmt: skip
    return path


def write_shared_tables(path: Path, pixels: Pixels, subsampling: tuple[int, int]) -> Path:
    """Write JPEG tiles as scanners do: the quantisation and Huffman tables once, for all tiles."""
    name = {(1, 1): "444", (2, 1): "422", (2, 2): "420"}[subsampling]
    encode: Callable[..., bytes] = imagecodecs.jpeg_encode
    parts = [_apart(bytes(encode(tile, level=80, subsampling=name))) for tile in blocks(pixels)]
    tables = parts[0][0]
    assert {tables} == {one for one, _ in parts}
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            iter([rest for _, rest in parts]), shape=pixels.shape, dtype=np.uint8, tile=(256, 256),
            photometric="ycbcr", subsampling=subsampling, compression="jpeg", metadata=None,
            extratags=[(347, 7, len(tables), tables, True)],
        )  # fmt: skip
    return path


def _apart(stream: bytes) -> tuple[bytes, bytes]:
    """Split a JPEG stream into its tables and the rest."""
    tables, rest, at = [], [stream[:2]], 2
    while stream[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        (tables if stream[at + 1] in (0xDB, 0xC4) else rest).append(stream[at:end])
        at = end
    return stream[:2] + b"".join(tables) + b"\xff\xd9", b"".join(rest) + stream[at:]
