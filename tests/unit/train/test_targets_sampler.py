"""What pixels should be, how much they count, and where patches come from."""

import numpy as np
import pytest

from napari_medpatch.train.sampler import PatchSampler
from napari_medpatch.train.targets import make_targets


def test_without_an_estimate_only_paint_counts():
    labels = np.array([[0, 1, 2, 2]], np.uint8)
    targets = make_targets(labels, 2)
    assert targets.weight.tolist() == [[0, 1, 1, 1]]
    assert targets.classes[:, 0].T.tolist() == [[0, 0], [1, 0], [0, 1], [0, 1]]


def test_estimates_count_by_their_confidence_and_yield_to_paint():
    labels = np.array([[0, 0, 0, 2]], np.uint8)
    estimate = np.array([[[1.0, 0.5, 0.25, 0.9]], [[0.0, 0.5, 0.75, 0.1]]], np.float32)
    targets = make_targets(labels, 2, estimate)
    np.testing.assert_allclose(targets.weight, [[0.5, 0, 0.125, 1]])
    assert targets.classes[:, 0, 3].tolist() == [0, 1]
    assert estimate[0, 0, 3] == np.float32(0.9)


def test_rare_classes_weigh_more():
    labels = np.ones((10, 10), np.uint8)
    labels[0, 0] = 2
    weight = make_targets(labels, 3).class_weight()
    assert weight[1] > 5 * weight[0]
    assert weight[2] == 0
    assert weight[:2].mean() == pytest.approx(1)


def test_patches_lie_inside_and_hold_every_class_alike():
    labels = np.zeros((20, 40, 40), np.uint8)
    labels[10, :30, :30], labels[10, 5, 5] = 1, 2
    sampler = PatchSampler(make_targets(labels, 2), (8, 16, 16))
    generator = np.random.default_rng(0)
    boxes = [sampler.draw(generator) for _ in range(60)]
    assert all(box.shape == (8, 16, 16) and box.clip(labels.shape) == box for box in boxes)
    assert all((labels[box.slices] > 0).any() for box in boxes)
    assert sum((labels[box.slices] == 2).any() for box in boxes) > 20


def test_sure_estimates_draw_patches_away_from_paint():
    labels = np.zeros((8, 64, 64), np.uint8)
    labels[0, :8, :8], labels[0, 0, 0] = 1, 2
    estimate = np.zeros((2, *labels.shape), np.float32)
    estimate[0] = 1
    sampler = PatchSampler(make_targets(labels, 2, estimate), (4, 8, 8))
    generator = np.random.default_rng(0)
    starts = np.array([sampler.draw(generator).start for _ in range(40)])
    assert starts[1::2, 1].max() > 30
    assert starts[::2, 1].max() <= 8
