import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_medpatch.geometry import Box
from napari_medpatch.infer.halo import Tiling, halves


def paint(shape: tuple[int, ...], cores: list[Box]) -> np.ndarray:
    count = np.zeros(shape, int)
    for core in cores:
        count[core.slices] += 1
    return count


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=3),
    st.integers(0, 23),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(3000, 100_000),
)
def test_cores_tile_and_padded_boxes_lie_on_the_pooling_grid(
    shape: list[int], reach: int, multiple: int, voxels: int
) -> None:
    tiling = Tiling(tuple(shape), (reach,) * len(shape), (multiple,) * len(shape))
    cores = tiling.cores(voxels)
    assert (paint(tiling.shape, cores) == 1).all()
    for core in cores:
        padded = tiling.padded(core)
        for axis, n in enumerate(tiling.canvas):
            assert padded.start[axis] % multiple == 0
            assert padded.stop[axis] % multiple == 0
            assert padded.start[axis] == 0 or core.start[axis] - padded.start[axis] >= reach
            assert padded.stop[axis] == n or padded.stop[axis] - core.stop[axis] >= reach


def test_a_block_size_is_kept_where_it_can_be() -> None:
    tiling = Tiling((300, 120, 120), (23,) * 3, (4,) * 3)
    cores = tiling.cores(1_500_000)
    assert all(tiling.padded(core).size <= 1_500_000 for core in cores)


def test_cuts_go_across_one_axis_when_that_is_cheapest() -> None:
    tiling = Tiling((300, 120, 120), (23,) * 3, (4,) * 3)
    assert all(core.shape[1:] == (120, 120) for core in tiling.cores(1_500_000))
    assert tiling.cores(10**9) == [Box.whole((300, 120, 120))]


def test_the_network_sees_as_little_as_possible() -> None:
    tiling = Tiling((100, 512, 512), (23,) * 3, (4,) * 3)
    chosen = sum(tiling.padded(core).size for core in tiling.cores(6_000_000))
    slabs = [Box((a, 0, 0), (min(a + 4, 100), 512, 512)) for a in range(0, 100, 4)]
    assert chosen < sum(tiling.padded(core).size for core in slabs) / 3


def test_impossible_limits_give_the_smallest_blocks() -> None:
    tiling = Tiling((64, 64), (8, 8), (8, 8))
    assert {math.prod(core.shape) for core in tiling.cores(1)} == {64}


def test_independent_slices_have_no_margin() -> None:
    tiling = Tiling((30, 64, 64), (0, 23, 23), (1, 4, 4))
    for core in tiling.cores(64 * 64 * 10):
        assert tiling.padded(core).shape[0] == core.shape[0] <= 10


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 4, 8]))
def test_halves_make_up_the_whole(height: int, width: int, multiple: int) -> None:
    core = Box((8, 16), (8 + height, 16 + width))
    parts = halves(core, (multiple, multiple))
    if max(height, width) <= multiple:
        assert parts == []
        return
    assert len(parts) == 2
    assert sum(part.size for part in parts) == core.size
    assert parts[0].stop[0] == parts[1].start[0] or parts[0].stop[1] == parts[1].start[1]
    assert all(part.size > 0 and (np.array(part.start) - core.start).max() % multiple == 0 for part in parts)


@pytest.mark.parametrize(("shape", "canvas"), [((1, 1, 1), (4, 4, 4)), ((5, 8, 9), (8, 8, 12))])
def test_the_canvas_is_rounded_up(shape: tuple[int, ...], canvas: tuple[int, ...]) -> None:
    tiling = Tiling(shape, (23,) * 3, (4,) * 3)
    assert tiling.canvas == canvas
    assert tiling.padded(Box.whole(shape)) == Box.whole(canvas)
