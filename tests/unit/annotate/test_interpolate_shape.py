"""Shape-based interpolation against shapes with a formula."""

import numpy as np
import pytest
from round_shapes import disc, fill, overlap, painted, stack

CENTRE = (20.0, 20.0)


def cone(index):
    return CENTRE, 4.0 + index


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("outside", [True, False])
def test_a_cone_is_found_across_any_axis(axis, outside):
    truth = np.moveaxis(stack(11, 41, cone), 0, axis)
    result = fill(painted(truth, [0, 10], axis, outside=outside), axis=axis)
    between = (slice(None),) * axis + (slice(1, 10),)
    assert overlap(result.labels[between] == 2, truth[between]) > 0.96
    assert result.axis == axis
    assert result.slices == (0, 10)


def test_the_axis_with_the_painted_slices_is_found():
    truth = np.moveaxis(stack(11, 41, cone), 0, 2)
    labels = painted(truth, [0, 5, 10], 2)
    labels.labels[7] = truth[7] + 1
    assert fill(labels).axis == 2


@pytest.mark.parametrize("step", [1.0, 1.6])
def test_a_cylinder_that_leans_is_followed_even_out_of_itself(step):
    truth = stack(7, 60, lambda index: ((30.0, 14 + step * index), 5.0))
    result = fill(painted(truth, [0, 6]))
    assert overlap(result.labels[1:6] == 2, truth[1:6]) > 0.9


def test_what_grows_to_one_side_is_not_moved_there():
    here, there = np.zeros((20, 70), bool), np.zeros((20, 70), bool)
    here[5:15, 20:30] = there[5:15, 20:60] = True
    truth = np.stack([here, *[np.zeros_like(here)] * 5, there])
    found = fill(painted(truth, [0, 6])).labels[1:6] == 2
    assert found[:, here].all()
    assert not found[:, ~there].any()


def test_a_sphere_between_empty_slices_ends_half_way():
    truth = np.zeros((13, 41, 41), bool)
    truth[6] = disc((41, 41), CENTRE, 10)
    found = fill(painted(truth, [0, 6, 12])).labels == 2
    radii = np.sqrt(found.sum(axis=(1, 2)) / np.pi)
    assert not found[:4].any()
    assert not found[9:].any()
    np.testing.assert_allclose(radii[4:6], 10 * np.sqrt(1 - (np.array([2, 1]) / 3) ** 2), atol=0.8)
    np.testing.assert_array_equal(found[4:6], found[8:6:-1])


def test_distances_are_those_of_the_voxels():
    z, y, x = np.indices((9, 24, 60))
    # A cone in mm, whose pixels are four times as high as wide.
    truth = (4 * y - 46) ** 2 + (x - 30) ** 2 <= (6 + 2 * z) ** 2
    labels = painted(truth, [0, 8])
    right, square = (fill(labels, spacing=(1, height, 1)).labels[1:8] == 2 for height in (4, 1))
    assert overlap(right, truth[1:8]) > 0.93
    assert overlap(right, truth[1:8]) > overlap(square, truth[1:8])


def test_a_trunk_becomes_two_branches_and_nothing_in_between_is_lost():
    shape = (50, 50)
    here, there = disc(shape, (25, 25), 12), disc(shape, (25, 15), 5) | disc(shape, (25, 35), 5)
    truth = np.stack([here, *[np.zeros(shape, bool)] * 5, there])
    found = fill(painted(truth, [0, 6])).labels == 2
    areas = found[1:6].sum(axis=(1, 2))
    assert (np.diff(areas) < 0).all()
    assert found[5, 25, 15]
    assert found[5, 25, 35]
    assert found[1, 25, 25]


def test_classes_that_touch_compete_and_never_overlap():
    truth = np.zeros((9, 40, 40), np.uint8)
    for index in range(9):
        truth[index, 10:30, 5 : 15 + index] = 1
        truth[index, 10:30, 15 + index : 35] = 2
    result = fill(painted(truth, [0, 8]))
    for value in (1, 2):
        assert overlap(result.labels[1:8] == value + 1, truth[1:8] == value) > 0.97
    # No crack opens where they touch.
    assert (result.labels[1:8, 11:29, 6:34] > 0).all()
    assert result.voxels.keys() == {"class 1", "class 2"}


def test_a_class_may_be_painted_on_slices_of_its_own():
    labels = painted(stack(13, 41, lambda _: (CENTRE, 6.0)), [0, 12], outside=False)
    labels = labels.__class__(labels.labels, ("background", "class 1", "class 2"))
    for index in (3, 9):
        labels.labels[index][disc((41, 41), (8, 8), 5)] = 3
    result = fill(labels)
    assert (result.labels[6] == 2).sum() == disc((41, 41), CENTRE, 6).sum()
    assert (result.labels[6] == 3).sum() == disc((41, 41), (8, 8), 5).sum()
    # Slice 3 says nothing about the first class, which goes on through it.
    assert (result.labels[3] == 2).any()
    assert not (result.labels[2] == 3).any()


def test_only_the_wanted_classes_are_proposed():
    truth = np.zeros((5, 20, 20), np.uint8)
    truth[:, 2:8, 2:18], truth[:, 8:18, 2:18] = 1, 2
    result = fill(painted(truth, [0, 4]), classes=("class 2",))
    assert set(np.unique(result.labels)) == {0, 3}
    np.testing.assert_array_equal(result.labels[2] == 3, truth[2] == 2)


def test_painted_voxels_are_never_proposed():
    truth = stack(9, 41, lambda _: (CENTRE, 8.0))
    labels = painted(truth, [0, 8])
    labels.labels[4, 18:22, 18:22] = 1
    before = labels.labels.copy()
    result = fill(labels)
    assert not result.labels[before > 0].any()
    np.testing.assert_array_equal(labels.labels, before)


def test_nothing_is_proposed_beyond_the_outermost_slices_unless_asked():
    truth = stack(20, 41, lambda _: (CENTRE, 8.0))
    labels = painted(truth, [8, 11])
    assert not fill(labels).labels[[*range(9), *range(11, 20)]].any()
    areas = (fill(labels, beyond=4).labels == 2).sum(axis=(1, 2))
    np.testing.assert_array_equal(np.flatnonzero(areas), [4, 5, 6, 7, 9, 10, 12, 13, 14, 15])
    assert (np.diff(areas[4:8]) >= 0).all()
    assert areas[4] < areas[7] == truth[8].sum()


def test_background_is_proposed_on_request_where_both_neighbours_are_painted():
    truth = stack(5, 41, lambda _: (CENTRE, 8.0))
    result = fill(painted(truth, [0, 4]), background=True)
    np.testing.assert_array_equal(result.labels[1:4], truth[1:4] + 1)
    labels = painted(truth, [0, 4])
    labels.labels[4, :, 30:] = 0
    assert not (fill(labels, background=True).labels[2, :, 30:] == 1).any()


def test_gaps_in_whole_slices_are_closed_and_other_unpainted_pixels_are_outside():
    truth = stack(5, 41, lambda _: (CENTRE, 12.0))
    labels = painted(truth, [0, 4])
    labels.labels[0, 18:22, 18:22] = 0
    assert (fill(labels).labels[2] == 2).sum() == truth[2].sum()
    sparse = painted(truth, [0, 4], outside=False)
    sparse.labels[0, 2, 2] = 1
    assert (fill(sparse).labels[2] == 2).sum() == truth[2].sum()


def test_the_same_labels_give_the_same_proposal():
    labels = painted(stack(11, 41, cone), [0, 4, 10])
    np.testing.assert_array_equal(fill(labels).labels, fill(labels).labels)
