"""Batches in, probabilities out."""

import threading
import time
from contextlib import closing
from dataclasses import replace

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


def _chunked(count: int, size: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def _fed(scorer: PatchScorer, count: int = 30, edge: int = 32) -> dict[int, list[float]]:
    """Score random patches through the scorer's own feed; returns scores by item, in the order they came."""
    feed = scorer.feed(
        _chunked(count, 4), lambda index: np.concatenate([_batch(1, (edge, edge), i).pixels for i in index])
    )
    with closing(feed):
        return {
            int(item): row.tolist()
            for batch, values in scorer.stream(feed)
            for item, row in zip(batch.index, values, strict=True)
        }


def test_several_devices_give_what_one_gives(mean_colour) -> None:
    one, two = mean_colour(seconds=0.002), mean_colour(seconds=0.002)
    expected = _fed(PatchScorer(one, device="cpu", batch_size=4))
    scorer = PatchScorer(two, device="cpu,cpu", batch_size=4)
    found = _fed(scorer)
    assert len(scorer.lanes) == len(scorer.devices) == 2
    assert found == expected
    assert list(found) == list(range(30))


def test_work_is_shared_among_devices(mean_colour) -> None:
    scorer = PatchScorer(mean_colour(), device="cpu,cpu", batch_size=2)
    seen: list[set[int]] = []
    for lane in scorer.lanes:
        mine: set[int] = set()
        seen.append(mine)

        def slow(batch: torch.Tensor, mine: set[int] = mine) -> torch.Tensor:
            mine.add(threading.get_ident())
            time.sleep(0.01)
            return batch.mean(dim=(2, 3))[:, :2]

        lane.model = slow
    assert len(_fed(scorer)) == 30
    assert all(len(mine) == 1 for mine in seen)
    assert seen[0] != seen[1]


def test_an_error_of_one_device_stops_all_and_comes_once(mean_colour) -> None:
    scorer = PatchScorer(mean_colour(), device="cpu,cpu", batch_size=2)
    scorer.lanes[1].model = lambda batch: (_ for _ in ()).throw(RuntimeError("mat1 and mat2 shapes differ"))
    with pytest.raises(RuntimeError, match="mat1"):
        _fed(scorer, 400)
    assert not [t for t in threading.enumerate() if t.name.startswith(("medpatch-lane", "medpatch-feed"))]


def test_memory_that_runs_out_on_one_device_lowers_the_batch_of_all(mean_colour) -> None:
    small = mean_colour(fail_above=3)
    scorer = PatchScorer(small, device="cpu,cpu", batch_size=16)
    expected = _fed(PatchScorer(mean_colour(), device="cpu", batch_size=2), 50)
    assert _fed(scorer, 50) == expected
    assert scorer.batch_size == 2
    assert set(small.batches) == {2}, "the network sees one size"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried 1 TB"),
        MemoryError(),
    ],
    ids=["torch", "cuda", "cublas", "cpu", "python"],
)
def test_every_way_to_run_out_of_memory_halves_the_batch(mean_colour, error: Exception) -> None:
    scorer = PatchScorer(mean_colour(), device="cpu", batch_size=8)
    plain = scorer.lanes[0].model

    def scarce(batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > 4:
            raise error
        return plain(batch)

    for lane in scorer.lanes:
        lane.model = scarce
    expected = _fed(PatchScorer(mean_colour(), device="cpu", batch_size=4))
    assert _fed(scorer) == expected
    assert scorer.batch_size == 4


def test_a_broken_accelerator_is_one_sentence(mean_colour) -> None:
    lane = PatchScorer(mean_colour(), device="cpu").lanes[0]
    lane.device = torch.device("meta")
    lane._sent = torch.from_numpy
    lane.model = lambda batch: (_ for _ in ()).throw(RuntimeError("CUDA error: device-side assert triggered\nmore"))
    with pytest.raises(ResourceError, match=r"device meta failed \(CUDA error: device-side assert triggered\)"):
        lane.launch(_batch(2))


def test_patches_are_resized_while_they_are_loaded_and_no_more_afterwards(mean_colour) -> None:
    scorer = PatchScorer(mean_colour(), device="cpu", batch_size=4)
    feed = scorer.feed([np.arange(4)], lambda index: _batch(4, (64, 48)).pixels)
    with closing(feed):
        (batch,) = list(feed)
    assert batch.pixels.shape == (4, 32, 32, 3)
    whole = _score(scorer, _batch(4, (64, 48)))
    np.testing.assert_array_equal(_score(scorer, batch), whole)


def test_the_last_batch_is_filled_up_and_its_filling_dropped(mean_colour) -> None:
    bundle = mean_colour()
    scorer = PatchScorer(bundle, device="cpu", batch_size=8)
    assert _score(scorer, _batch(3)).shape == (3, 2)
    assert bundle.batches == [8]


def test_exact_scores_come_from_the_network_as_it_is(tmp_path, patch_card) -> None:
    from napari_medpatch.models.bundle import save_bundle
    from napari_medpatch.models.network import build_network

    card = replace(patch_card(), architecture="test_resnet")
    bundle = save_bundle(tmp_path / "b", card, build_network(card))
    fast, exact = PatchScorer(bundle, device="cpu"), PatchScorer(bundle, device="cpu", exact=True)
    assert isinstance(fast.lanes[0].model, torch.jit.ScriptModule)
    assert not isinstance(exact.lanes[0].model, torch.jit.ScriptModule)
    np.testing.assert_allclose(_score(fast, _batch(5)), _score(exact, _batch(5)), atol=1e-5)
