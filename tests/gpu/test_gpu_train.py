"""Learning from a few strokes on a GPU, and judging what was learned."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs_on import segmented

from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.evaluate.evaluation import evaluate_masks
from napari_medpatch.events import StepDone, run
from napari_medpatch.infer.precision import training_precision
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.train.fine_tune import FineTuneSettings, fine_tune

NAMES = ("background", "dark", "bright")


@pytest.fixture
def truth() -> np.ndarray:
    """``(24, 40, 40)`` mask of two rods that wander."""
    z, y, x = np.indices((24, 40, 40))
    shift = 4 * np.sin(z / 6)
    mask = np.zeros(z.shape, np.uint8)
    mask[(y - 20) ** 2 + (x - 11 - shift) ** 2 < 36] = 1
    mask[(y - 20) ** 2 + (x - 28 - shift) ** 2 < 25] = 2
    return mask


@pytest.fixture
def volume(truth: np.ndarray) -> ArraySource:
    hu = np.choose(truth, [0, -800, 300]) + np.random.default_rng(0).normal(0, 20, truth.shape)
    return ArraySource(hu.astype(np.int16), "volume", (2.0, 2.0, 2.0))


@pytest.fixture
def labels(truth: np.ndarray) -> SparseLabels:
    return SparseLabels.from_mask(truth, [4, 12, 19], NAMES)


def test_a_network_learns_its_record_is_right_and_its_masks_are_good(
    tmp_path: Path, device: str, volume: ArraySource, labels: SparseLabels, truth: np.ndarray,
    measured: Callable[[str], None],
) -> None:  # fmt: skip
    settings = FineTuneSettings(steps=60, device=device, use_unlabelled=False)
    learned = run(fine_tune(volume, labels, settings=settings, out=tmp_path / "model"))
    assert learned.provenance["device"] == device
    assert learned.provenance["precision"] == training_precision(torch.device(device))
    bundle = load_bundle(tmp_path / "model")
    assert {p.device.type for p in bundle.load().parameters()} == {"cpu"}
    for name in (device, "cpu"):
        mask = segmented(volume, bundle, name).mask
        report = run(evaluate_masks(mask, truth, spacing=(2.0, 2.0, 2.0), class_names=NAMES[1:]))
        dice = [scores.overlap.dice for scores in report.classes]
        measured(f"60 steps on {device}, segmented on {name}: Dice {', '.join(f'{value:.3f}' for value in dice)}")
        assert min(dice) > 0.8


def test_seconds_are_kept_and_the_estimate_takes_part(
    device: str, volume: ArraySource, labels: SparseLabels, truth: np.ndarray, measured: Callable[[str], None]
) -> None:
    result = run(fine_tune(volume, labels, settings=FineTuneSettings(seconds=6, device=device)))
    measured(f"fine-tuning for 6 s on {device}: {result.steps} steps, {result.seconds:.1f} s")
    assert (result.mask == truth).mean() > 0.97


def test_a_photograph_is_learned(device: str) -> None:
    generator = np.random.default_rng(1)
    y, x = np.indices((96, 96))
    mask = ((y % 32 - 16) ** 2 + (x % 32 - 16) ** 2 < 64).astype(np.uint8)
    rgb = np.where(mask[..., None], (90, 40, 60), (200, 170, 190)) + generator.normal(0, 8, (96, 96, 3))
    painted = np.zeros(mask.shape, np.uint8)
    painted[:40] = mask[:40] + 1
    settings = FineTuneSettings(steps=10, device=device)
    source = ArraySource(rgb.clip(0, 255).astype(np.uint8), "photo")
    result = run(fine_tune(source, SparseLabels(painted, ("background", "blob")), settings=settings))
    assert (result.mask == mask).mean() > 0.9


def test_a_stopped_training_keeps_its_model(
    tmp_path: Path, device: str, volume: ArraySource, labels: SparseLabels
) -> None:
    settings = FineTuneSettings(steps=10_000, device=device, use_unlabelled=False)
    job = fine_tune(volume, labels, settings=settings, out=tmp_path / "model")
    while not (isinstance(event := next(job), StepDone) and event.step >= 3):
        pass
    job.close()
    bundle = load_bundle(tmp_path / "model")
    assert bundle.card.training["steps"] >= 3
    assert segmented(volume, bundle, device).mask.shape == (24, 40, 40)


def test_training_goes_on_from_a_model(tmp_path: Path, device: str, volume: ArraySource, labels: SparseLabels) -> None:
    settings = FineTuneSettings(steps=5, device=device)
    base = run(fine_tune(volume, labels, settings=settings, out=tmp_path / "base")).bundle
    result = run(fine_tune(volume, labels, base, settings, out=tmp_path / "next"))
    assert result.steps == 5
    assert result.provenance["device"] == device


def test_training_gives_its_memory_back(
    device: str, volume: ArraySource, labels: SparseLabels, held: Callable[[], int]
) -> None:
    before = held()
    result = run(fine_tune(volume, labels, settings=FineTuneSettings(steps=5, device=device)))
    assert held() - before < 1 << 16
    assert result.mask.any()


def test_the_whole_image_is_predicted_on_the_processor_where_the_device_is_too_small(
    device: str, volume: ArraySource, labels: SparseLabels, monkeypatch: pytest.MonkeyPatch, cuda: torch.device
) -> None:
    from napari_medpatch.train import loop

    def no_room(model: object, batch: torch.Tensor) -> object:
        yield 0.0
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(loop, "_whole", no_room)
    settings = FineTuneSettings(steps=30, device=device, use_unlabelled=False)
    result = run(fine_tune(volume, labels, settings=settings))
    assert (result.mask > 0).any()
