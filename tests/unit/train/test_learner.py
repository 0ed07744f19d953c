"""Patches, the training step, prediction, and where a network begins."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_medpatch.errors import BundleError
from napari_medpatch.models.bundle import save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network
from napari_medpatch.train import loop
from napari_medpatch.train.loop import Learner
from napari_medpatch.train.patches import batch_maker, pad_image, patch_shape
from napari_medpatch.train.starting_point import check_base, names_after_base, network_shape, starting_model
from napari_medpatch.train.targets import make_targets

CARD = ModelCard(
    "small", "segment-3d", "unet", ("background", "lung"), in_channels=1,
    intensity={"kind": "hu_window", "low": -1000, "high": 400}, network={"levels": 2, "channels": 4},
)  # fmt: skip


@pytest.fixture
def task():
    """Return network input with a bright half, and its full labels."""
    image = np.random.default_rng(0).normal(0, 0.05, (1, 16, 32, 32)).astype(np.float32)
    labels = np.ones((16, 32, 32), np.uint8)
    labels[:, :, 16:] = 2
    image[0, :, :, 16:] += 0.8
    return image, labels


def learner_for(image, labels, seed=0):
    targets = make_targets(labels, 2)
    model, rate = starting_model(CARD, None, seed)
    draw = batch_maker(image, targets, CARD.class_names, np.random.default_rng(seed))
    weight = targets.class_weight()
    return Learner(model, draw, weight, device=torch.device("cpu"), precision="float32", rate=rate)


def test_the_network_learns_and_predicts(task, finish):
    learner = learner_for(*task)
    losses = [learner.step(step / 30) for step in range(30)]
    found = finish(learner.predict(task[0]))
    assert losses[-1] < losses[0] / 2
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    assert (found.argmax(0) == task[1] - 1).mean() > 0.95


def test_an_image_too_large_for_the_device_is_predicted_on_the_processor(task, finish, monkeypatch):
    learner = learner_for(*task)
    for step in range(30):
        learner.step(step / 30)
    expected = finish(learner.predict(task[0]))
    real, devices = loop._predicted, []

    def narrow(model, inputs, device, precision):
        devices.append(device.type)
        if len(devices) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(model, inputs, device, precision)

    monkeypatch.setattr(loop, "_predicted", narrow)
    monkeypatch.setattr(learner, "device", torch.device("cuda"))
    np.testing.assert_allclose(finish(learner.predict(task[0])), expected, atol=1e-5)
    assert devices == ["cuda", "cpu"]


def test_equal_seeds_give_equal_losses(task):
    first, second, other = (learner_for(*task, seed=seed) for seed in (1, 1, 2))
    runs = [[learner.step(0.1 * step) for step in range(3)] for learner in (first, second, other)]
    assert runs[0] == pytest.approx(runs[1], rel=1e-4)
    assert runs[0] != pytest.approx(runs[2], rel=1e-4)


def test_batches_have_the_shapes_the_loss_needs(task):
    image, labels = task
    draw = batch_maker(image, make_targets(labels, 2), CARD.class_names, np.random.default_rng(0))
    inputs, targets, weights = draw()
    assert inputs.shape == (2, 1, 16, 32, 32)
    assert targets.shape == (2, 2, 16, 32, 32)
    assert weights.shape == (2, 16, 32, 32)


def test_padding_is_what_inference_does():
    image = np.ones((1, 5, 6), np.float32)
    assert pad_image(image, 4, repeat_border=True).sum() == 64
    assert pad_image(image, 4, repeat_border=False).sum() == 30
    assert patch_shape((8, 200, 40)) == (8, 64, 40)
    assert patch_shape((100, 300)) == (100, 128)


def test_the_best_so_far_is_a_copy(task):
    learner = learner_for(*task)
    learner.step(0.0)
    model, steps = learner.best_so_far()
    before = model.state_dict()["head.bias"].clone()
    learner.step(0.1)
    assert steps == 1
    assert torch.equal(model.state_dict()["head.bias"], before)
    assert not torch.equal(learner.average.state_dict()["head.bias"], before)


def saved_base(tmp_path, names=("background", "lung")):
    card = replace(CARD, class_names=names)
    torch.manual_seed(5)
    return save_bundle(tmp_path / "base", card, build_network(card))


def test_a_warm_start_keeps_everything_of_the_same_classes(tmp_path):
    base = saved_base(tmp_path)
    model, rate = starting_model(CARD, base, 0)
    fresh_rate = starting_model(CARD, None, 0)[1]
    assert rate < fresh_rate
    for name, tensor in base.load().state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_other_classes_keep_the_body_and_their_namesakes(tmp_path):
    base = saved_base(tmp_path)
    card = replace(CARD, class_names=("background", "heart", "lung"))
    own, known = starting_model(card, base, 0)[0].state_dict(), base.load().state_dict()
    assert torch.equal(own["encoder.0.0.weight"], known["encoder.0.0.weight"])
    assert torch.equal(own["head.weight"][2], known["head.weight"][1])
    assert not torch.equal(own["head.weight"][1], known["head.weight"][1])


def test_classes_without_names_take_the_bases(tmp_path):
    base = saved_base(tmp_path)
    assert names_after_base(("background", "class 1"), base) == ("background", "lung")
    assert names_after_base(("background", "heart"), base) == ("background", "heart")
    assert names_after_base(("background", "class 1", "class 2"), base) == ("background", "class 1", "class 2")
    assert names_after_base(("background", "class 1"), None) == ("background", "class 1")


def test_a_base_of_another_task_is_refused(tmp_path):
    base = saved_base(tmp_path)
    check_base(base, "segment-3d")
    with pytest.raises(BundleError, match="needs a segment-2d"):
        check_base(base, "segment-2d")


def test_slow_processors_get_a_smaller_network():
    assert network_shape(3, "float32", "cpu")["channels"] == 8
    assert network_shape(3, "bfloat16", "cpu")["channels"] == 16
    assert network_shape(2, "float32", "cuda") == {"levels": 4, "channels": 16, "convs": 2, "norm": "batch"}
