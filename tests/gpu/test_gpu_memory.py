"""Memory of a GPU: how much a job takes, what it does when there is too little, and that it gives all back."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs_on import segmented, share_of_difference
from small_classifiers import classifier, everywhere
from unet_bundles import random_unet
from volumes_of_noise import noise

from napari_medpatch.errors import ResourceError
from napari_medpatch.events import BlockSegmented, run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.infer.feed import Batch
from napari_medpatch.infer.patch_scorer import PatchScorer
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.infer.unet_runner import UNetRunner
from napari_medpatch.infer.whole_runner import WholeRunner
from napari_medpatch.io.array_source import ArraySource

MB = 1 << 20
LITTLE = 1 << 16
"""What a job may leave behind: numbers of a few bytes, no weights, no maps."""
WIDE = {"channels": 16}


def watch_releases(monkeypatch: pytest.MonkeyPatch, kind: type) -> list[int]:
    """Count how often a runner was told that memory had run out."""
    seen: list[int] = []
    real = kind.release
    monkeypatch.setattr(kind, "release", lambda self: (seen.append(1), real(self))[1])
    return seen


def finish(steps: object) -> torch.Tensor:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_the_size_of_a_block_follows_the_free_memory(tmp_path: Path, cuda: torch.device) -> None:
    runner = UNetRunner(random_unet(tmp_path / "net", network=WIDE), device=str(cuda))
    plenty = runner.block_voxels()
    free, _ = torch.cuda.mem_get_info(cuda)
    hog = torch.empty(free - 4096 * MB, dtype=torch.uint8, device=cuda)
    little = runner.block_voxels()
    del hog
    torch.cuda.empty_cache()
    assert little < plenty == runner.block_voxels()
    assert little * 16 * 20 < 4096 * MB


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_block_takes_no_more_than_its_size_was_chosen_for(
    tmp_path: Path, cuda: torch.device, precision: str, held: Callable[[], int], measured: Callable[[str], None]
) -> None:
    runner = UNetRunner(random_unet(tmp_path / "net", network=WIDE), device=str(cuda), precision=precision)
    block = np.random.default_rng(0).random((1, 192, 192, 192), np.float32)
    finish(runner.logits(block))
    before = held()
    torch.cuda.reset_peak_memory_stats(cuda)
    begun = time.perf_counter()
    finish(runner.logits(block)).cpu()
    seconds = time.perf_counter() - begun
    per_channel = (torch.cuda.max_memory_allocated(cuda) - before) / block.size / 16
    measured(
        f"block of 192³ through 16 channels, {precision}: {per_channel:.1f} bytes per voxel and channel, "
        f"{block.size / seconds / 1e6:.0f} million voxels a second"
    )
    # Blocks are chosen for 40, and that may be six tenths of what is free.
    assert per_channel < 40 / 0.6


def test_blocks_are_halved_until_they_fit(
    tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch, memory_limit: Callable[[int], None]
) -> None:
    bundle, source = random_unet(tmp_path / "net", network=WIDE), noise((128, 128, 112))
    expected = segmented(source, bundle, device)
    released = watch_releases(monkeypatch, UNetRunner)
    memory_limit(256 * MB)
    result = segmented(source, bundle, device)
    assert len(released) > 1
    assert share_of_difference(result, expected) < 1e-4


def test_fewer_windows_are_taken_until_they_fit(
    tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch, memory_limit: Callable[[int], None]
) -> None:
    bundle = random_unet(tmp_path / "net", levels=2, network=WIDE | {"norm": "group"})
    source = noise((120, 120, 120))
    expected = segmented(source, bundle, device)
    released = watch_releases(monkeypatch, WholeRunner)
    memory_limit(1000 * MB)
    result = segmented(source, bundle, device)
    assert released
    assert share_of_difference(result, expected) < 1e-4


def test_a_block_that_cannot_be_made_smaller_is_one_sentence(
    tmp_path: Path, device: str, memory_limit: Callable[[int], None]
) -> None:
    bundle = random_unet(tmp_path / "net", network=WIDE)
    # Room for the weights; what holds more than 1 MB, as all maps here do, comes in pieces of 20.
    memory_limit(8 * MB)
    with pytest.raises(ResourceError, match="Memory ran out even for the smallest block"):
        segmented(noise((64, 64, 64)), bundle, device)


def test_a_window_that_does_not_fit_is_one_sentence(
    tmp_path: Path, device: str, memory_limit: Callable[[int], None]
) -> None:
    bundle = random_unet(tmp_path / "net", levels=2, network=WIDE | {"norm": "instance"})
    memory_limit(24 * MB)
    with pytest.raises(ResourceError, match="A single window of 96 × 96 × 96 does not fit into the memory of cuda"):
        segmented(noise((40, 40, 40)), bundle, device)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_a_model_that_does_not_fit_is_one_sentence(
    tmp_path: Path, device: str, norm: str, memory_limit: Callable[[int], None]
) -> None:
    bundle = random_unet(tmp_path / "net", network={"channels": 64, "norm": norm})
    memory_limit(0)
    with pytest.raises(ResourceError, match="Model net does not fit into the memory of cuda"):
        segmented(noise((16, 16, 16)), bundle, device)


def test_a_classifier_that_does_not_fit_is_one_sentence(
    tmp_path: Path, device: str, slide: ArraySource, memory_limit: Callable[[int], None]
) -> None:
    bundle = classifier(tmp_path / "net")
    memory_limit(0)
    with pytest.raises(ResourceError, match="Model net does not fit into the memory of cuda"):
        run(classify(slide, bundle, ClassifySettings(device=device), tissue=everywhere(slide)))


def test_batches_of_patches_are_halved_until_they_fit(
    tmp_path: Path, device: str, memory_limit: Callable[[int], None]
) -> None:
    bundle = classifier(tmp_path / "net")
    pixels = np.random.default_rng(0).integers(0, 256, (2048, 64, 64, 3), np.uint8)
    batch = Batch(np.arange(len(pixels)), pixels)
    expected = scores(PatchScorer(bundle, device=device, precision="float32", batch_size=2048), batch)
    memory_limit(400 * MB)
    scorer = PatchScorer(bundle, device=device, precision="float32", batch_size=2048)
    np.testing.assert_allclose(scores(scorer, batch), expected, atol=1e-4)
    assert scorer.batch_size < 2048


def scores(scorer: PatchScorer, batch: Batch) -> np.ndarray:
    return next(iter(scorer.stream([batch])))[1]


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_a_segmentation_gives_its_memory_back(tmp_path: Path, device: str, norm: str, held: Callable[[], int]) -> None:
    bundle, source = random_unet(tmp_path / "net", levels=2, network=WIDE | {"norm": norm}), noise((64, 64, 64))
    before, reserved = held(), torch.cuda.memory_reserved()
    result = segmented(source, bundle, device)
    assert held() - before < LITTLE
    assert result.mask.any()
    assert torch.cuda.memory_reserved() < reserved + 64 * MB, "what torch keeps for later is missing elsewhere"


def test_a_stopped_segmentation_gives_its_memory_back(tmp_path: Path, device: str, held: Callable[[], int]) -> None:
    bundle, source = random_unet(tmp_path / "net", levels=2, network=WIDE), noise((64, 64, 64))
    before = held()
    job = segment(source, bundle, SegmentSettings(device=device, block_voxels=100_000))
    while not isinstance(next(job), BlockSegmented):
        pass
    job.close()
    assert held() - before < LITTLE


def test_a_classification_gives_its_memory_back(
    tmp_path: Path, device: str, slide: ArraySource, held: Callable[[], int]
) -> None:
    bundle = classifier(tmp_path / "net")
    before = held()
    result = run(classify(slide, bundle, ClassifySettings(device=device), tissue=everywhere(slide)))
    assert np.isfinite(result.probabilities).all()
    assert held() - before < LITTLE


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_memory_that_ran_out_once_is_not_held_by_the_error(
    tmp_path: Path, device: str, norm: str, held: Callable[[], int], memory_limit: Callable[[int], None]
) -> None:
    bundle = random_unet(tmp_path / "net", network=WIDE | {"norm": norm})
    before = held()
    memory_limit((24 if norm == "group" else 8) * MB)
    with pytest.raises(ResourceError):
        segmented(noise((60, 60, 60)), bundle, device)
    assert held() - before < LITTLE


def test_a_device_that_does_not_exist_is_one_sentence(tmp_path: Path, device: str, slide: ArraySource) -> None:
    wanted = r"There is no device 'cuda:7': this machine has \d" if device != "cpu" else "has no CUDA device"
    with pytest.raises(ResourceError, match=wanted):
        segmented(noise((16, 16, 16)), random_unet(tmp_path / "net", levels=2), "cuda:7")
    settings = ClassifySettings(device="cuda:7")
    with pytest.raises(ResourceError, match=wanted):
        run(classify(slide, classifier(tmp_path / "patches"), settings, tissue=everywhere(slide)))
