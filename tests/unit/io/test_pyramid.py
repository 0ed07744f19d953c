"""Levels of a slide: stored ones, and halvings where steps are wide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_medpatch.io.pyramid import COARSEST_SIDE, StoredLevel, halve, level_downsamples, overview_note, plan_levels


def stored(*shapes: tuple[int, int]) -> tuple[StoredLevel, ...]:
    return tuple(
        StoredLevel(shape, downsample, (256, 256))
        for shape, downsample in zip(shapes, level_downsamples(list(shapes)), strict=True)
    )


def test_aperio_steps_of_four_get_a_level_between() -> None:
    plan = plan_levels(stored((32914, 46000), (8228, 11500), (2057, 2875)))
    assert [level.stored for level in plan] == [0, None, 1, None, 2, None, None]
    assert [level.level.shape for level in plan][:3] == [(32914, 46000), (16457, 23000), (8228, 11500)]
    assert plan[1].level.downsample == (2.0, 2.0)


def test_stored_downsamples_stay_floats_and_synthetic_ones_double_them() -> None:
    plan = plan_levels(stored((32914, 46000), (8228, 11500)))
    coarse = plan[2].level.downsample
    assert coarse == (32914 / 8228, 4.0)
    assert plan[3].level.downsample == (2 * coarse[0], 2 * coarse[1])


def test_the_coarsest_level_is_small_enough_for_a_viewer() -> None:
    plan = plan_levels(stored((80000, 100000)))
    assert max(plan[-1].level.shape) <= COARSEST_SIDE < max(plan[-2].level.shape)
    assert plan[-1].tile[0] <= 256


def test_a_small_slide_and_steps_of_two_get_nothing() -> None:
    assert len(plan_levels(stored((50, 60)))) == 1
    assert [level.stored for level in plan_levels(stored((1000, 800), (500, 400), (250, 200)))] == [0, 1, 2]


def test_steps_of_sixteen_get_three_levels_between() -> None:
    plan = plan_levels(stored((16384, 16384), (1024, 1024)))
    assert [level.level.downsample[0] for level in plan] == [1, 2, 4, 8, 16]


def test_tiles_of_synthetic_levels_are_not_larger_than_the_level() -> None:
    plan = plan_levels((StoredLevel((1000, 9000), (1.0, 1.0), (128, 9000)),))
    assert all(t <= n for level in plan for t, n in zip(level.tile, level.level.shape, strict=True))


def test_a_huge_picture_without_smaller_copies_is_noted() -> None:
    assert "100000 × 80000 pixels" in overview_note(stored((80000, 100000)))
    assert overview_note(stored((80000, 100000), (5000, 6250))) == ""


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_halve_is_the_mean_of_the_pixels_that_exist(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    result = halve(pixels)
    assert result.shape == (-(-height // 2), -(-width // 2), 3)
    for y, x in np.ndindex(result.shape[:2]):
        block = pixels[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].reshape(-1, 3).astype(float)
        np.testing.assert_array_equal(result[y, x], np.floor(block.mean(axis=0) + 0.5))


@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_halve_keeps_flat_colours(value: int) -> None:
    assert set(np.unique(halve(np.full((7, 5, 3), value, dtype=np.uint8)))) == {value}


@pytest.mark.parametrize(
    ("fine", "coarse", "expected"), [((32914, 46000), (8228, 11500), 4.00024), ((2967, 2220), (370, 277), 8.01892)]
)
def test_downsamples_come_from_the_shapes_of_each_axis(
    fine: tuple[int, int], coarse: tuple[int, int], expected: float
) -> None:
    first, second = level_downsamples([fine, coarse])
    assert first == (1.0, 1.0)
    assert second[0] == pytest.approx(expected, abs=1e-5)
    assert second[1] == fine[1] / coarse[1]
