"""How wide columns and chunks of a sweep are."""

import pytest

from napari_medpatch.geometry import Box
from napari_medpatch.infer.halo import Tiling
from napari_medpatch.infer.sweep import (
    CHUNK_POSITIONS,
    Sweep,
    chunk_rows,
    halved,
    plan_sweep,
    plane_tiling,
    sweep_bytes,
)
from napari_medpatch.models.unet import UNetConfig

CONFIG = UNetConfig(dimensions=3, channels=8, levels=3)
TILING = Tiling((64, 96, 160), (CONFIG.halo,) * 3, (4,) * 3)


@pytest.mark.parametrize(
    ("size", "plane", "rows"),
    [(1, 1, 1), (7, 1, 4), (64, 1, 64), (1000, CHUNK_POSITIONS // 4, 4), (1000, 512 * 512, 4), (9, 10**9, 1)],
)
def test_a_chunk_is_the_largest_power_of_two_that_fits(size: int, plane: int, rows: int) -> None:
    assert chunk_rows(size, plane) == rows


def sweep(limit: float) -> Sweep:
    return plan_sweep(TILING, CONFIG, limit)


def test_with_memory_enough_one_column_is_swept_in_full_chunks() -> None:
    assert sweep(1e12) == Sweep((Box.whole((96, 160)),), 64)


def test_smaller_chunks_come_before_narrower_columns() -> None:
    full = [sweep_bytes(CONFIG, 96 * 160, rows, 4) for rows in (64, 32, 16)]
    assert [sweep(limit).chunk for limit in full] == [64, 32, 16]
    assert {len(sweep(limit).columns) for limit in full} == {1}


@pytest.mark.parametrize("share", [0.9, 0.5, 0.3])
def test_columns_with_their_margins_fit_and_tile_the_plane(share: float) -> None:
    limit = share * sweep_bytes(CONFIG, 96 * 160, 16, 4)
    planned = sweep(limit)
    assert len(planned.columns) > 1
    assert sum(column.size for column in planned.columns) == 96 * 160
    plane = Tiling(TILING.shape[1:], TILING.reach[1:], TILING.multiple[1:])
    for column in planned.columns:
        assert sweep_bytes(CONFIG, plane.padded(column).size, planned.chunk, 4) <= limit * (1 + 1e-9)


def test_what_waits_in_skips_and_some_chunks_under_way_are_counted() -> None:
    for chunk in (4, CONFIG.halo, 4 * CONFIG.halo):
        held = (CONFIG.halo + chunk + 6 * chunk) * 1000 * CONFIG.channels * 4
        assert held < sweep_bytes(CONFIG, 1000, chunk, 4) < 1.5 * held


def test_a_sweep_takes_more_for_more_rows_a_wider_plane_and_a_longer_reach() -> None:
    base = sweep_bytes(CONFIG, 1000, 8, 4)
    deeper = UNetConfig(dimensions=3, channels=8, levels=4)
    assert sweep_bytes(CONFIG, 1000, 16, 4) > base
    assert sweep_bytes(CONFIG, 2000, 8, 4) == pytest.approx(2 * base)
    assert sweep_bytes(CONFIG, 1000, 8, 2) == pytest.approx(base / 2)
    assert sweep_bytes(deeper, 1000, 8, 4) > base


def test_the_plane_is_cut_as_its_own_axes_are() -> None:
    assert plane_tiling(Tiling((10, 20, 30), (4, 5, 6), (1, 2, 4))) == Tiling((20, 30), (5, 6), (2, 4))


def test_a_column_is_halved_across_its_plane_on_the_pooling_grid() -> None:
    assert halved(Box((0, 0, 8), (64, 4, 20)), (16, 4, 2)) == [
        Box((0, 0, 8), (64, 4, 14)),
        Box((0, 0, 14), (64, 4, 20)),
    ]
    assert halved(Box((0, 0, 8), (64, 4, 10)), (16, 4, 2)) == []
