"""The loss ignores what is unlabelled; augmentation keeps labels right."""

import numpy as np
import pytest
import torch

from napari_medpatch.train.augment import flip_axes, jitter, mirror
from napari_medpatch.train.losses import weighted_loss


def one_hot(values, classes=2):
    return torch.nn.functional.one_hot(torch.tensor(values), classes).movedim(-1, 1).float()


def test_unlabelled_pixels_change_nothing():
    target, weight = one_hot([[0, 1, 0, 1]]), torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    logits = torch.randn(1, 2, 4, generator=torch.Generator().manual_seed(0))
    other = logits.clone()
    other[:, :, 2:] = 50
    ones = torch.ones(2)
    assert weighted_loss(logits, target, weight, ones) == weighted_loss(other, target, weight, ones)
    few = weighted_loss(logits[:, :, :2], target[:, :, :2], weight[:, :2], ones)
    assert weighted_loss(logits, target, weight, ones) == pytest.approx(float(few))


def test_right_answers_cost_little_and_wrong_ones_much():
    target, weight, ones = one_hot([[0, 1] * 50]), torch.ones(1, 100), torch.ones(2)
    right = weighted_loss((target - 0.5) * 40, target, weight, ones)
    wrong = weighted_loss((0.5 - target) * 40, target, weight, ones)
    assert right < 0.01
    assert wrong > 10


def test_a_patch_without_labels_costs_nothing_and_has_a_gradient():
    logits = torch.zeros(1, 2, 4, requires_grad=True)
    loss = weighted_loss(logits, torch.zeros(1, 2, 4), torch.zeros(1, 4), torch.ones(2))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("dimensions", "names", "axes"),
    [
        (3, ("background", "lung"), (0, 1, 2)),
        (3, ("background", "left lung"), ()),
        (3, ("background", "a", "b"), ()),
        (2, ("background", "vessel", "disc"), (0, 1)),
        (2, ("background", "nasal half"), ()),
    ],
)
def test_mirroring_only_where_classes_have_no_side(dimensions, names, axes):
    assert flip_axes(dimensions, names) == axes


def test_image_and_labels_are_mirrored_alike():
    generator = np.random.default_rng(0)
    labels = torch.arange(24).reshape(2, 3, 4)
    seen = set()
    for _ in range(40):
        image, same = mirror([labels[None] * 2, labels], (0, 2), generator)
        assert torch.equal(image[0], same * 2)
        assert torch.equal(same.sum(dim=(0, 2)), labels.sum(dim=(0, 2)))
        seen.add(tuple(same.flatten().tolist()))
    assert len(seen) == 4


def test_jitter_is_one_gain_and_offset_per_channel():
    image = torch.linspace(0, 1, 30).reshape(1, 5, 6).repeat(3, 1, 1)
    changed = jitter(image, np.random.default_rng(0))
    assert changed.dtype == image.dtype
    slopes = (changed[:, -1, -1] - changed[:, 0, 0]).tolist()
    assert len(set(slopes)) == 3
    assert all(0.9 <= slope <= 1.1 for slope in slopes)
