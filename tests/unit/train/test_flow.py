"""Slices carried along the optical flow."""

import numpy as np
import pytest

from napari_medpatch.train.flow import SliceFlows, carry_labels


def measured(image, axis) -> SliceFlows:
    flows = SliceFlows(image, axis)
    for index in range(len(flows) - 1):
        flows.measure(index)
    return flows


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_moving_disc_is_followed_across_any_axis(axis):
    z, y, x = np.indices((7, 32, 32))
    truth = (y - 16) ** 2 + (x - 10 - 1.5 * z) ** 2 < 36
    image, mask = np.moveaxis(truth.astype(np.float32), 0, axis), np.moveaxis(truth, 0, axis)
    labels = np.zeros(image.shape, np.uint8)
    for index in (0, 6):
        at = (slice(None),) * axis + (index,)
        labels[at] = mask[at] + 1
    carried = carry_labels(labels, [0, 6], measured(image, axis), 2)
    assert carried.shape == (2, *image.shape)
    np.testing.assert_allclose(carried.sum(0), 1, atol=1e-5)
    found = carried.argmax(0) == 1
    assert (found & mask).sum() / (found | mask).sum() > 0.8


def test_painted_slices_stay_as_they_are():
    image = np.random.default_rng(0).random((4, 16, 16)).astype(np.float32)
    labels = np.zeros(image.shape, np.uint8)
    labels[1] = 1
    labels[1, 4:9, 4:9] = 2
    carried = carry_labels(labels, [1], measured(image, 0), 2)
    np.testing.assert_array_equal(carried[:, 1].argmax(0), labels[1] - 1)


def test_gaps_in_a_painted_slice_take_the_nearest_label():
    labels = np.zeros((2, 16, 16), np.uint8)
    labels[0, :, :4], labels[0, :, 12:] = 1, 2
    carried = carry_labels(labels, [0], measured(np.zeros((2, 16, 16), np.float32), 0), 2)
    assert carried[1, 0, 8, 10] > 0.5 > carried[1, 0, 8, 5]


def test_thin_slices_have_no_flow():
    assert SliceFlows.possible((3, 40, 40), 0)
    assert not SliceFlows.possible((3, 40, 40), 1)
