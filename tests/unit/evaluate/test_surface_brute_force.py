"""Surface distances against loops over all pairs of border voxels, on grids of any shape of voxel."""

import numpy as np
import pytest
from brute_force import border as plain_border
from brute_force import distances, percentile
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_cases import blobs, evaluated, slab
from test_surface_distances import points, surface

SPACINGS = st.tuples(*(st.sampled_from((0.25, 0.7, 1.0, 2.5, 7.0)) for _ in range(3)))
SEEDS = st.integers(0, 100_000)


def close(found: object, expected: object) -> None:
    names = ("assd", "hd95", "hd", "surface_dice")
    for name in names:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-5), name


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, spacing=SPACINGS, tolerance=st.sampled_from((0.0, 0.5, 1.0, 2.5, 30.0)))
def test_volumes_of_irregular_blobs(seed: int, spacing: tuple[float, ...], tolerance: float) -> None:
    prediction, truth = blobs(seed, (5, 8, 7), 1), blobs(seed + 1, (5, 8, 7), 1)
    expected = distances(prediction, truth, spacing, tolerance)
    found = surface(prediction, truth, spacing=spacing, tolerance=tolerance)
    if expected is None:
        assert found is None
    else:
        close(found, expected)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, spacing=SPACINGS)
def test_scattered_voxels(seed: int, spacing: tuple[float, ...]) -> None:
    rng = np.random.default_rng(seed)
    prediction, truth = (rng.random((4, 6, 5)) < 0.15).astype(np.uint8), (rng.random((4, 6, 5)) < 0.3).astype(np.uint8)
    prediction[0, 0, 0] = truth[3, 5, 4] = 1
    close(surface(prediction, truth, spacing=spacing), distances(prediction, truth, spacing, 2.0))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, spacing=st.tuples(*(st.sampled_from((0.25, 0.5, 3.0)) for _ in range(2))))
def test_pictures(seed: int, spacing: tuple[float, ...]) -> None:
    prediction, truth = blobs(seed, (14, 11), 1), blobs(seed + 1, (14, 11), 1)
    prediction[0, 0] = truth[13, 10] = 1
    found = surface(prediction, truth, spacing=spacing, unit="um", tolerance=1.0)
    close(found, distances(prediction, truth, spacing, 1.0))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_surfaces_beside_what_is_left_out_do_not_count(seed: int) -> None:
    prediction, truth = blobs(seed, (5, 8, 7), 1), blobs(seed + 1, (5, 8, 7), 1)
    keep = np.ones(truth.shape, bool)
    keep[:, :, 3:5] = False
    seen = [np.where(keep, mask, 0) for mask in (prediction, truth)]
    expected = distances(seen[0], seen[1], (2.0, 1.0, 1.0), 2.0, ~keep)
    result = evaluated(prediction, truth, spacing=(2.0, 1.0, 1.0), keep=keep)
    found = result.classes[0].surface if result.classes else None
    if expected is None:
        assert found is None
    else:
        close(found, expected)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, shape=st.sampled_from([(1, 6, 7), (6, 1, 7), (6, 7, 1), (1, 1, 9), (2, 2, 2), (9, 8)]))
def test_border_voxels_of_thin_and_flat_masks(seed: int, shape: tuple[int, ...]) -> None:
    mask = (np.random.default_rng(seed).random(shape) < 0.6).astype(np.uint8)
    assert points(mask) == set(plain_border(mask))


@pytest.mark.parametrize("count", [1, 2, 3, 19, 20, 21, 100])
def test_the_percentile_is_that_of_order_statistics(count: int) -> None:
    """A line of voxels, each as far from a wall as its index says."""
    truth, prediction = np.zeros((count, 1, count + 1), np.uint8), np.zeros((count, 1, count + 1), np.uint8)
    truth[:, 0, 0] = 1
    for row in range(count):
        prediction[row, 0, row] = 1
    ways = [[min(abs(row - other) ** 2 + column**2 for other in range(count)) ** 0.5 for row, column in pairs]
            for pairs in ([(row, row) for row in range(count)],)]  # fmt: skip
    there = percentile(ways[0], 0.95)
    back = percentile([min(((row - at) ** 2 + at**2) ** 0.5 for at in range(count)) for row in range(count)], 0.95)
    assert surface(prediction, truth, spacing=(1, 1, 1)).hd95 == pytest.approx(max(there, back), rel=1e-5)


@pytest.mark.parametrize("step", [0.1, 0.3, 0.7, 1 / 3, 2.5, 1e-3, 1e3])
def test_a_distance_equal_to_the_tolerance_is_within_it(step: float) -> None:
    truth = slab((1, 1, 9), (0, 1), (0, 1), (1, 2))
    prediction = np.roll(truth, 3, 2)
    size = (step, step, step)
    assert surface(prediction, truth, spacing=size, tolerance=3 * step).surface_dice == 1.0
    assert surface(prediction, truth, spacing=size, tolerance=2.99 * step).surface_dice == 0.0


def test_a_tolerance_of_nothing_counts_what_coincides() -> None:
    truth = slab((3, 10, 10), (1, 2), (2, 8), (2, 8))
    same = surface(truth, truth, spacing=(1, 1, 1), tolerance=0.0)
    assert same.surface_dice == 1.0
    half = truth.copy()
    half[1, 2:8, 5:8] = 0
    moved = np.where(truth > 0, half, 0)
    expected = distances(moved, truth, (1, 1, 1), 0.0)
    assert surface(moved, truth, spacing=(1, 1, 1), tolerance=0.0).surface_dice == expected.surface_dice
    assert 0 < expected.surface_dice < 1


def test_a_large_tolerance_forgives_everything() -> None:
    truth, prediction = slab((4, 20, 20), (0, 1), (0, 2), (0, 2)), slab((4, 20, 20), (3, 4), (18, 20), (18, 20))
    assert surface(prediction, truth, spacing=(9, 1, 1), tolerance=1000.0).surface_dice == 1.0


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_surface_dice_grows_with_the_tolerance(seed: int) -> None:
    prediction, truth = blobs(seed, (6, 9, 8), 1), blobs(seed + 1, (6, 9, 8), 1)
    prediction[0, 0, 0] = truth[5, 8, 7] = 1
    found = [surface(prediction, truth, spacing=(2, 1, 1), tolerance=t).surface_dice for t in (0, 0.5, 1, 2, 4, 8, 40)]
    assert found == sorted(found)
    assert found[-1] == 1.0


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_the_scores_are_in_order(seed: int) -> None:
    prediction, truth = blobs(seed, (6, 9, 8), 1), blobs(seed + 1, (6, 9, 8), 1)
    prediction[0, 0, 0] = truth[5, 8, 7] = 1
    found = surface(prediction, truth, spacing=(3.0, 0.5, 1.5))
    assert 0 <= found.assd <= found.hd
    assert 0 <= found.hd95 <= found.hd


def test_a_thick_slice_is_far_away() -> None:
    """Ten to one: the nearest voxel in the next slice is farther than nine steps in the plane."""
    truth, prediction = np.zeros((3, 30, 30), np.uint8), np.zeros((3, 30, 30), np.uint8)
    truth[1, 10, 10] = prediction[1, 10, 19] = 1
    assert surface(prediction, truth, spacing=(10.0, 1.0, 1.0)).hd == pytest.approx(9.0)
    prediction[2, 10, 10] = 1
    found = surface(prediction, truth, spacing=(10.0, 1.0, 1.0))
    assert found.hd == pytest.approx(10.0)
    assert found.assd == pytest.approx((9 + 10 + 9) / 3)
