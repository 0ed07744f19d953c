"""How a processor sweeps a U-Net over a volume: in columns wide enough, and few, for the memory there is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_medpatch.geometry import Box
from napari_medpatch.infer.halo import Tiling
from napari_medpatch.models.unet import UNetConfig

CHUNK_POSITIONS = 1_050_000
"""Largest chunk of the finest level: four rows of 512 × 512. Larger ones are not faster, and leave the caches."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Columns that tile the axes after the first, and rows that a layer makes at a time.

    Parameters
    ----------
    columns : tuple of Box
        On all axes but the first; the network sees each with the tiling's margin.
    chunk : int
        Rows of the finest level.
    """

    columns: tuple[Box, ...]
    chunk: int


def plan_sweep(tiling: Tiling, config: UNetConfig, limit: float, itemsize: int = 4) -> Sweep:
    """Return the widest columns that fit.

    Parameters
    ----------
    tiling : Tiling
        Of the working grid.
    config : UNetConfig
        The network.
    limit : float
        Bytes that a sweep may take.
    itemsize : int
        Bytes per number in the network's maps.
    """
    plane = plane_tiling(tiling)
    positions = math.prod(plane.canvas)
    chunk = chunk_rows(tiling.canvas[0], positions)
    # A smaller chunk costs a few per cent, a second column its margins.
    for smaller in range(3):
        rows = max(1, chunk >> smaller)
        if sweep_bytes(config, positions, rows, itemsize) <= limit:
            return Sweep((Box.whole(plane.shape),), rows)
    rows = max(1, chunk >> 2)
    columns = plane.cores(int(limit / sweep_bytes(config, 1, rows, itemsize)))
    return Sweep(tuple(columns), rows)


def chunk_rows(size: int, plane: int) -> int:
    """Return rows of a chunk of the finest level, a power of two, for a row of ``plane`` positions."""
    rows = max(1, min(size, CHUNK_POSITIONS // plane))
    return 1 << (rows.bit_length() - 1)


def sweep_bytes(config: UNetConfig, plane: int, chunk: int, itemsize: int) -> float:
    """Return the memory of a sweep: rows that wait in the skip connections, and some chunks under way.

    The numbers were fitted to what 2…5 levels held in chunks of 4…16 rows, and are a little too large.
    """
    rows = 1.35 * (config.halo + chunk) + 6 * chunk
    return rows * plane * config.channels * itemsize


def plane_tiling(tiling: Tiling) -> Tiling:
    """Return how the axes after the first may be cut."""
    return Tiling(tiling.shape[1:], tiling.reach[1:], tiling.multiple[1:])


def halved(column: Box, multiple: Sequence[int]) -> list[Box]:
    """Split a core across the longest axis but the first, on the pooling grid; empty if it cannot be split."""
    from napari_medpatch.infer.halo import halves

    plane = halves(Box(column.start[1:], column.stop[1:]), multiple[1:])
    return [Box((column.start[0], *half.start), (column.stop[0], *half.stop)) for half in plane]
