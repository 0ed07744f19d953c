from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from resampled import to_working
from said import finish

from napari_medpatch.errors import GeometryError
from napari_medpatch.geometry import Box
from napari_medpatch.infer.resample import from_working, gather, gather_steps
from napari_medpatch.infer.working_grid import AxisMap, WorkingGrid

LENGTHS = st.integers(1, 60)
STEPS = st.floats(0.2, 9)


def ramp(shape: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """A field that is linear in world coordinates, measured from the centre of the image."""
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return (2 * z - y + 0.5 * x).astype(np.float32)


@pytest.mark.parametrize("working", [(3.0, 3.0, 3.0), (1.0, 1.0, 1.0), (4.7, 2.0, 0.9)])
def test_a_linear_field_stays_where_it_is_in_the_world(working: tuple[float, ...]) -> None:
    spacing = (2.5, 1.4, 0.7)
    field = ramp((40, 60, 70), spacing)
    resampled, grid = to_working(field, spacing, working)
    expected = ramp(grid.shape, working)
    inner = (slice(4, -4),) * 3
    np.testing.assert_allclose(resampled[inner], expected[inner], atol=2e-3)
    back = from_working(resampled[None], grid)[0]
    middle = (slice(14, -14),) * 3
    np.testing.assert_allclose(back[middle], field[middle], atol=2e-3)


def test_coarser_grids_average_and_do_not_alias() -> None:
    stripes = np.zeros((64, 64, 64), np.float32)
    stripes[:, :, ::2] = 100
    resampled, _ = to_working(stripes, (1, 1, 1), (1, 1, 4))
    assert np.abs(resampled[:, :, 2:-2] - 50).max() < 4


def test_the_filter_is_as_wide_as_pils() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 90)).astype(np.float32)
    resampled, _ = to_working(image, (1, 1), (3, 3))
    pil = np.asarray(Image.fromarray(image).resize((30, 20), Image.Resampling.BILINEAR))
    assert resampled.std() == pytest.approx(pil.std(), rel=0.1)
    assert np.corrcoef(resampled.ravel(), pil.ravel())[0, 1] > 0.95


def test_the_own_resolution_is_left_untouched() -> None:
    image = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    resampled, grid = to_working(image, (2.0, 1.0, 1.0), (2.0, 1.0, 1.0))
    assert np.array_equal(resampled, image)
    assert grid.identity
    assert np.array_equal(
        from_working(image[None].astype(np.float32), grid, Box((0, 1, 1), (2, 3, 3)))[0], image[:, 1:, 1:3]
    )


@given(LENGTHS, STEPS)
def test_the_working_grid_covers_the_image_and_is_centred(length: int, step: float) -> None:
    axis = AxisMap.centred(length, step)
    first, last = axis.origin - step / 2, axis.origin + step * (axis.working - 0.5)
    assert first <= -0.5 + 1e-4
    assert last >= length - 0.5 - 1e-4
    assert first + last == pytest.approx(length - 1)
    assert (axis.working - 1) * step < length


@given(LENGTHS, STEPS, st.integers(1, 7))
def test_disjoint_cores_tile_the_image(length: int, step: float, edge: int) -> None:
    grid = WorkingGrid.centred((length,), (step,))
    covered: list[int] = []
    for start in range(0, grid.shape[0], edge):
        box = grid.source_box(Box((start,), (min(start + edge, grid.shape[0]),)))
        covered += range(box.start[0], box.stop[0])
    assert covered == list(range(length))


@given(LENGTHS, STEPS, st.data())
def test_ranges_are_those_of_the_weights(length: int, step: float, data: st.DataObject) -> None:
    axis = AxisMap.centred(length, step)
    start = data.draw(st.integers(0, axis.working - 1))
    stop = data.draw(st.integers(start + 1, axis.working))
    lo, hi, weights = axis.gather(start, stop)
    assert axis.gather_range(start, stop) == (lo, hi)
    assert weights.shape == (stop - start, hi - lo)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    lo, hi, weights = axis.scatter(start, stop)
    assert axis.scatter_range(start, stop) == (lo, hi)
    assert 0 <= lo < hi <= axis.working
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)


@pytest.mark.parametrize("steps", [(2.3, 1.7), (0.6, 0.4), (1.0, 3.0)])
def test_pieces_equal_the_whole(steps: tuple[float, float]) -> None:
    image = np.random.default_rng(1).normal(size=(37, 53)).astype(np.float32)
    grid = WorkingGrid.centred(image.shape, steps)
    whole = gather(image, grid.axes, Box.whole(grid.shape))
    box = Box((grid.shape[0] // 3, 2), (grid.shape[0] // 3 + 5, 9))
    ranges = [axis.gather_range(a, b) for axis, a, b in zip(grid.axes, box.start, box.stop, strict=True)]
    window = tuple(slice(lo, hi) for lo, hi in ranges)
    piece = gather(image[window], grid.axes, box, offset=[lo for lo, _ in ranges])
    np.testing.assert_allclose(piece, whole[box.slices], atol=1e-6)

    values = whole[None]
    back = from_working(values, grid)
    box = Box((11, 20), (19, 53))
    need = grid.working_box(box)
    part = from_working(values[(slice(None), *need.slices)], grid, box, origin=need.start)
    np.testing.assert_allclose(part[0], back[0][box.slices], atol=1e-6)


def test_beyond_the_grid_the_border_is_repeated() -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    grid = WorkingGrid.centred((3, 4), (1.0, 1.0))
    grown = gather(image, grid.axes, Box((0, 0), (5, 4)))
    assert np.array_equal(grown[3], image[2])
    assert np.array_equal(grown[4], image[2])


def test_reading_slab_by_slab_tells_how_far_it_is() -> None:
    image = np.random.default_rng(2).normal(size=(40, 300, 300)).astype(np.float32)
    grid = WorkingGrid.centred(image.shape, (2.0, 3.0, 3.0))
    result, shares = finish(gather_steps(lambda a, b: image[a:b], grid))
    assert len(shares) > 2
    assert shares == sorted(shares)
    np.testing.assert_allclose(result, to_working(image, (1, 1, 1), (2, 3, 3))[0], atol=1e-6)


def test_a_coarser_level_shows_the_same_place() -> None:
    axis = AxisMap.centred(4000, 8.0)
    level = axis.at_level(1000, 4.0)
    assert level.step == 2.0
    # Pixel 0 of the level covers pixels 0…3, so level index l is at 4 l + 1.5.
    assert 4 * level.origin + 1.5 == pytest.approx(axis.origin)


@pytest.mark.parametrize("shape", [(1, 5, 5), (2, 1, 1), (3, 40, 2)])
def test_volumes_thinner_than_a_working_voxel_survive(shape: tuple[int, ...]) -> None:
    image = np.full(shape, 7, np.int16)
    resampled, grid = to_working(image, (1, 1, 1), (5, 5, 5))
    assert min(resampled.shape) >= 1
    np.testing.assert_allclose(resampled, 7, atol=1e-5)
    np.testing.assert_allclose(from_working(resampled[None], grid), 7, atol=1e-5)


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_resolutions_are_refused(step: float) -> None:
    with pytest.raises(GeometryError, match="not positive"):
        WorkingGrid.centred((4,), (step,))


@given(LENGTHS, STEPS)
def test_each_image_voxel_belongs_to_the_working_voxel_nearest_to_it(length: int, step: float) -> None:
    axis = AxisMap.centred(length, step)
    ends = [axis.first_source(k) for k in range(axis.working + 1)]
    assert (ends[0], ends[-1]) == (0, length)
    for k, (first, stop) in enumerate(pairwise(ends)):
        for voxel in range(first, stop):
            away = abs(axis.origin + k * axis.step - voxel)
            assert away <= min(abs(axis.origin + j * axis.step - voxel) for j in range(axis.working)) + 1e-6
