import numpy as np
import pytest
import torch

from napari_medpatch.errors import MedPatchError
from napari_medpatch.infer.decide import check_threshold, decide, relative_logits


def logits(classes: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 3, (classes, 4, 50)).astype(np.float32))


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_labels_and_maps_are_argmax_and_softmax(classes: int) -> None:
    raw = logits(classes)
    labels, maps, _ = decide(relative_logits(raw), None, maps=True)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, raw.argmax(0).numpy())
    assert maps is not None
    expected = raw.softmax(0)[1:].numpy() * 255
    assert np.abs(maps - expected).max() <= 0.51


def test_without_maps_the_labels_are_the_same() -> None:
    relative = relative_logits(logits(4))
    labels, maps, _ = decide(relative, None, maps=False)
    assert maps is None
    assert np.array_equal(labels, decide(relative, None, maps=True)[0])


def test_large_logits_do_not_overflow() -> None:
    relative = np.array([[1e4, -1e4, 0.0]], np.float32)
    labels, maps, _ = decide(relative, None, maps=True)
    assert labels.tolist() == [1, 0, 0]
    assert maps is not None
    assert maps.tolist() == [[255, 0, 128]]


def test_a_threshold_needs_that_much_probability_of_one_class() -> None:
    # Probabilities 0.4, 0.35, 0.25 of background, a, b.
    relative = np.log(np.array([[[0.35 / 0.4]], [[0.25 / 0.4]]], np.float32))
    assert decide(relative, None, maps=False)[0].item() == 0
    assert decide(relative, 0.34, maps=False)[0].item() == 1
    assert decide(relative, 0.36, maps=False)[0].item() == 0


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 7.0])
def test_thresholds_lie_between_0_and_1(value: float) -> None:
    with pytest.raises(MedPatchError, match="between 0 and 1"):
        check_threshold(value)
    assert check_threshold(None) is None


def test_uncertainty_is_the_entropy_as_a_share_of_the_largest() -> None:
    logits = torch.randn(4, 5, 6, 7) * 3
    logits[:, 0] = 0
    logits[2, 1, 0, 0] = 200
    _, _, found = decide(relative_logits(logits), None, maps=False, uncertainty=True)
    assert found is not None
    p = logits.double().softmax(dim=0)
    expected = (-(p * p.clamp_min(1e-300).log()).sum(dim=0) / np.log(4)).numpy()
    assert np.abs(found / 255 - expected).max() <= 0.5 / 255 + 1e-5
    assert (found[0] == 255).all()
    assert found[1, 0, 0] == 0


def test_uncertainty_of_one_class_is_largest_at_the_border() -> None:
    relative = np.linspace(-8, 8, 17, dtype=np.float32)[None]
    labels, maps, found = decide(relative, 0.5, maps=True, uncertainty=True)
    assert found is not None
    assert found.argmax() == 8
    assert found[8] == 255
    assert np.array_equal(found, found[::-1])
    assert maps is not None
    assert labels.dtype == found.dtype == np.uint8
