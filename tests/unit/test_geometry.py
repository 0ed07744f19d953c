"""Boxes, spacings and derived grids, above all at downsamples that are no whole numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_medpatch.errors import GeometryError
from napari_medpatch.geometry import Box, Spacing, derived_grid, level_box, split_axis

REAL_DOWNSAMPLES = (4.00009, 16.002, 64.012)
downsample = st.sampled_from((1.0, 2.0, *REAL_DOWNSAMPLES)) | st.floats(1, 130, allow_nan=False)
position = st.integers(0, 100_000)
side = st.integers(1, 4096)


def boxes() -> st.SearchStrategy[Box]:
    return st.builds(lambda y, x, h, w: Box((y, x), (y + h, x + w)), position, position, side, side)


@given(boxes(), downsample, downsample)
def test_a_level_box_covers_its_level_0_box_and_less_than_a_pixel_more(box0: Box, dy: float, dx: float) -> None:
    box = level_box(box0, (dy, dx))
    for a0, b0, a, b, d in zip(box0.start, box0.stop, box.start, box.stop, (dy, dx), strict=True):
        assert a * d <= a0 + 1e-4
        assert b * d >= b0 - 1e-4
        assert a0 - a * d < d + 1e-4
        assert b * d - b0 < d + 1e-4


@given(st.floats(1, 4096), st.floats(1, 4096), st.floats(0.1, 1000))
def test_a_derived_grid_sits_at_half_the_difference_of_cell_and_pixel(sy: float, sx: float, p: float) -> None:
    grid = derived_grid((sy, sx), (p, p))
    assert grid.scale == pytest.approx((sy * p, sx * p))
    assert grid.translate == pytest.approx(((sy - 1) * p / 2, (sx - 1) * p / 2))


@given(position, st.integers(1, 1000), st.integers(1, 2000), st.integers(0, 300), st.floats(0.1, 10))
def test_a_cell_of_any_stride_is_centred_on_its_patch(origin: int, step: int, cell: int, index: int, p: float) -> None:
    grid = derived_grid((step,), (p,), origin_px=(origin,), cell_px=(cell,))
    first, last = origin + index * step, origin + index * step + cell - 1
    assert grid.translate[0] + index * grid.scale[0] == pytest.approx((first + last) / 2 * p)


def test_the_grid_of_the_image_itself_is_the_identity() -> None:
    grid = derived_grid((1, 1), (0.5, 0.25))
    assert (grid.scale, grid.translate) == ((0.5, 0.25), (0.0, 0.0))


@pytest.mark.parametrize("d", REAL_DOWNSAMPLES)
def test_overlays_of_a_level_end_where_level_0_ends(d: float) -> None:
    height = 100_000
    rows = height / d
    grid = derived_grid((d,), (0.25,))
    end = grid.translate[0] + (rows - 1) * grid.scale[0] + grid.scale[0] / 2
    assert end == pytest.approx((height - 0.5) * 0.25)


@given(boxes(), st.integers(0, 5000), st.integers(0, 5000))
def test_a_clipped_box_is_inside_and_of_the_common_size(box: Box, height: int, width: int) -> None:
    inside = box.clip((height, width))
    assert all(0 <= a <= b <= n for a, b, n in zip(inside.start, inside.stop, (height, width), strict=True))
    common = [max(0, min(b, n) - max(a, 0)) for a, b, n in zip(box.start, box.stop, (height, width), strict=True)]
    assert inside.size == math.prod(common)


@given(boxes(), st.integers(0, 50), st.integers(-50, 50))
def test_grown_and_shifted_boxes(box: Box, margin: int, offset: int) -> None:
    grown = box.grow((margin, margin))
    assert grown.shape == tuple(n + 2 * margin for n in box.shape)
    assert box.shift((offset, offset)).shift((-offset, -offset)) == box


def test_boxes_have_shape_size_and_slices() -> None:
    box = Box((1, 2, 3), (4, 2, 9))
    assert (box.shape, box.size) == ((3, 0, 6), 0)
    assert Box.whole((4, 5)).slices == (slice(0, 4), slice(0, 5))
    assert Box((5,), (3,)).shape == (0,)


def test_boxes_of_unequal_axes_are_refused() -> None:
    with pytest.raises(GeometryError, match="as many starts as stops"):
        Box((1, 2), (3,))


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_spacings_must_be_positive(value: float) -> None:
    with pytest.raises(GeometryError, match=r"from TIFF.*not positive"):
        Spacing((0.5, value), "um", "TIFF")


def test_spacings_scale_per_axis_and_keep_their_origin() -> None:
    spacing = Spacing((0.5, 0.25), "um", "user")
    assert spacing.mean == 0.375
    assert spacing.scaled(4).values == (2.0, 1.0)
    assert spacing.scaled((2, 4)) == Spacing((1.0, 1.0), "um", "user")


@given(st.integers(0, 5000), st.integers(1, 700))
def test_an_axis_is_split_without_gap_or_overlap(length: int, step: int) -> None:
    ranges = list(split_axis(length, step))
    assert [i for a, b in ranges for i in range(a, b)] == list(range(length))
    assert all(0 < b - a <= step for a, b in ranges)
