"""What lies behind the contours of a report is the very place that the masks lie on."""

from typing import Any

import numpy as np
import pytest

from napari_medpatch.evaluate.backdrop import backdrop_of, grey_backdrop, plane_of, volume_backdrop
from napari_medpatch.io.array_source import ArraySource

WINDOW = (slice(10, 30), slice(20, 60))


def ramps(height: int = 240, width: int = 320) -> np.ndarray:
    """A picture whose red says the row and whose green the column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 255 / height, columns * 255 / width, np.full((height, width), 9)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("reduced", [1, 2, 4, 8])
@pytest.mark.parametrize("levels", [(), (2.0,), (4.0,), (2.0, 4.0, 8.0)])
def test_a_slide_shows_the_place_of_its_mask(pyramid: Any, reduced: int, levels: tuple[float, ...]) -> None:
    slide = pyramid(ramps(), downsamples=levels)
    shape = (240 // reduced, 320 // reduced)
    window = (slice(4, 14), slice(8, 24))
    view = backdrop_of(slide, shape)(0, 0, window)
    assert view.shape == (10, 16, 3)
    rows, columns = np.mgrid[window[0], window[1]]
    centre = [(index + 0.5) * reduced - 0.5 for index in (rows, columns)]
    assert np.abs(view[..., 0] - centre[0] * 255 / 240).max() <= 4 + reduced
    assert np.abs(view[..., 1] - centre[1] * 255 / 320).max() <= 4 + reduced


@pytest.mark.parametrize("index", [0, 1, 7])
def test_the_number_of_the_slice_does_not_choose_a_level_of_a_slide(pyramid: Any, index: int) -> None:
    slide = pyramid(ramps(), downsamples=(4.0,))
    view = backdrop_of(slide, (60, 80))
    assert np.array_equal(view(0, index, WINDOW), view(0, 0, WINDOW))
    assert {level for level, _ in slide.reads} == {1}


def test_a_coarse_level_is_read_where_it_is_fine_enough_and_never_a_coarser_one(pyramid: Any) -> None:
    for reduced, level in ((1, 0), (2, 0), (4, 1), (8, 1), (16, 2)):
        slide = pyramid(ramps(), downsamples=(4.0, 16.0))
        backdrop_of(slide, (240 // reduced, 320 // reduced))(0, 0, (slice(0, 5), slice(0, 5)))
        assert {read for read, _ in slide.reads} == {level}


def test_a_photograph_is_shown_as_it_is() -> None:
    photo = ArraySource(ramps(), "photo", (1.0, 1.0))
    assert np.array_equal(backdrop_of(photo, (240, 320))(0, 0, WINDOW), ramps()[WINDOW])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_shows_the_plane_in_grey_between_its_percentiles(axis: int) -> None:
    volume = np.random.default_rng(0).normal(0, 100, (40, 41, 42)).astype(np.float32)
    window = (slice(2, 30), slice(3, 35))
    view = volume_backdrop(volume)(axis, 5, window)
    plane = np.take(volume, 5, axis)[window]
    low, high = np.percentile(plane, (1, 99))
    expected = np.clip((plane - low) / (high - low) * 255, 0, 255)
    assert view.dtype == np.uint8
    np.testing.assert_allclose(view, expected, atol=1.01)


@pytest.mark.parametrize("value", [0, -1000, 7.5])
def test_a_plane_of_one_value_is_one_grey(value: float) -> None:
    view = volume_backdrop(np.full((3, 40, 60), value, np.float32))(0, 1, WINDOW)
    assert len(np.unique(view)) == 1


def test_values_that_are_no_numbers_are_dark() -> None:
    volume = np.random.default_rng(0).normal(0, 100, (1, 40, 60)).astype(np.float32)
    volume[0, 15, 25] = np.nan
    volume[0, 16, 25] = -np.inf
    view = volume_backdrop(volume)(0, 0, WINDOW)
    assert view[5, 5] == view[6, 5] == 0
    nothing = volume_backdrop(np.full((1, 40, 60), np.nan, np.float32))(0, 0, WINDOW)
    assert not nothing.any()


def test_without_an_image_it_is_dark_grey() -> None:
    view = grey_backdrop(0, 0, WINDOW)
    assert view.shape == (20, 40)
    assert set(np.unique(view)) == {60}


def test_a_picture_is_its_own_only_plane() -> None:
    picture = ramps()[..., 0]
    assert plane_of(picture, 0, 0) is picture
    volume = np.arange(24).reshape(2, 3, 4)
    for axis in range(3):
        assert np.array_equal(plane_of(volume, axis, 1), np.take(volume, 1, axis))
