"""Which tiles a box touches, how they are put together, and the threads that decode them."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache as run_once

from napari_medpatch.geometry import Box
from napari_medpatch.io.tile_cache import Tile


def tile_positions(box: Box, tile: tuple[int, int]) -> list[tuple[int, int]]:
    """Return row and column of every tile that a box touches, in row-major order."""
    if not box.size:
        return []
    (y0, x0), (y1, x1) = box.start, box.stop
    rows = range(y0 // tile[0], -(-y1 // tile[0]))
    columns = range(x0 // tile[1], -(-x1 // tile[1]))
    return [(row, column) for row in rows for column in columns]


def paste(
    out: Tile, origin: tuple[int, ...], inside: Box, tile: Tile, tile_shape: tuple[int, int], position: tuple[int, int]
) -> None:
    """Copy the part of a tile that lies in ``inside`` to its place in ``out``, whose first pixel is ``origin``."""
    top, left = position[0] * tile_shape[0], position[1] * tile_shape[1]
    y0, x0 = max(inside.start[0], top), max(inside.start[1], left)
    y1, x1 = min(inside.stop[0], top + tile.shape[0]), min(inside.stop[1], left + tile.shape[1])
    target = out[y0 - origin[0] : y1 - origin[0], x0 - origin[1] : x1 - origin[1]]
    target[...] = tile[y0 - top : y1 - top, x0 - left : x1 - left]


@run_once
def decoders() -> ThreadPoolExecutor:
    """Return the threads that decode tiles; they never wait for each other's queue, so they cannot lock up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return ThreadPoolExecutor(min(8, cores), thread_name_prefix="medpatch-tile")
