"""Batches in, probabilities out."""

import numpy as np
import pytest
import torch

from napari_medpatch.errors import BundleError, ResourceError
from napari_medpatch.infer.feed import Batch
from napari_medpatch.infer.patch_scorer import PatchScorer, automatic_batch_size


def _batch(count: int, shape: tuple[int, int] = (32, 32), first: int = 0) -> Batch:
    pixels = np.random.default_rng(first).integers(0, 256, (count, *shape, 3), np.uint8)
    return Batch(np.arange(first, first + count), pixels)


def _logits(batch: Batch, classes: int) -> np.ndarray:
    return (batch.pixels.mean(axis=(1, 2))[:, :classes] / 255 - 0.5) / 0.5 * 4


def _score(scorer: PatchScorer, batch: Batch) -> np.ndarray:
    return next(iter(scorer.stream([batch])))[1]


def test_several_logits_are_a_softmax(mean_colour) -> None:
    batch = _batch(5)
    found = _score(PatchScorer(mean_colour(("a", "b", "c")), device="cpu"), batch)
    exponent = np.exp(_logits(batch, 3))
    np.testing.assert_allclose(found, exponent / exponent.sum(axis=1, keepdims=True), atol=1e-5)
    assert found.dtype == np.float32


def test_one_logit_is_a_sigmoid(mean_colour) -> None:
    batch = _batch(5)
    found = _score(PatchScorer(mean_colour(("Tumor",)), device="cpu"), batch)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-_logits(batch, 1))), atol=1e-5)


def test_more_classes_than_outputs_is_a_bundle_error(mean_colour) -> None:
    scorer = PatchScorer(mean_colour(("a", "b", "c", "d")), device="cpu")
    with pytest.raises(BundleError, match="names 4 classes"):
        _score(scorer, _batch(2))


def test_batches_keep_their_order(mean_colour) -> None:
    batches = [_batch(3, first=0), _batch(2, first=3), _batch(4, first=5)]
    scored = list(PatchScorer(mean_colour(), device="cpu").stream(batches))
    assert [batch.index.tolist() for batch, _ in scored] == [b.index.tolist() for b in batches]
    assert [len(values) for _, values in scored] == [3, 2, 4]


def test_out_of_memory_halves_the_batch(mean_colour) -> None:
    small, large = mean_colour(fail_above=3), mean_colour()
    scorer = PatchScorer(small, device="cpu", batch_size=16)
    batch = _batch(16)
    np.testing.assert_allclose(
        _score(scorer, batch), _score(PatchScorer(large, device="cpu"), batch), atol=1e-6
    )  # fmt: skip
    assert max(small.batches) <= 3
    assert scorer.batch_size == 2


def test_out_of_memory_for_one_patch_is_a_resource_error(mean_colour) -> None:
    with pytest.raises(ResourceError, match="single patch of mean-colour"):
        _score(PatchScorer(mean_colour(fail_above=0), device="cpu"), _batch(4))


def test_other_errors_of_the_model_are_not_taken_for_memory(mean_colour) -> None:
    scorer = PatchScorer(mean_colour(), device="cpu")
    for lane in scorer.lanes:
        lane.model = lambda batch: (_ for _ in ()).throw(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1"):
        _score(scorer, _batch(2))


def test_patches_that_are_square_in_um_reach_the_network_square(mean_colour) -> None:
    lane = PatchScorer(mean_colour(), device="cpu").lanes[0]
    for shape in ((64, 32), (40, 40)):
        assert tuple(lane.prepared(torch.from_numpy(_batch(2, shape).pixels)).shape) == (2, 3, 32, 32)


def test_float_input_is_taken_as_it_is(mean_colour) -> None:
    ready = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
    lane = PatchScorer(mean_colour(), device="cpu").lanes[0]
    assert np.array_equal(lane.prepared(torch.from_numpy(ready)).numpy(), ready)


def test_batch_size_shrinks_with_the_input(patch_card, monkeypatch) -> None:
    from napari_medpatch.infer import patch_scorer

    cpu = torch.device("cpu")
    resize = {"name": "Resize", "arguments": {"size": 448}}
    assert automatic_batch_size(patch_card(patch_size_pixels=448, transform=(resize,)), cpu) == 1
    small = automatic_batch_size(patch_card(), cpu)
    assert small > 16
    monkeypatch.setattr(patch_scorer, "available_memory", lambda device: 20_000_000)
    assert automatic_batch_size(patch_card(), cpu) == 4
