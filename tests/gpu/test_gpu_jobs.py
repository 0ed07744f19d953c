"""Several jobs on one GPU, jobs that are stopped, and jobs that go on."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jobs_on import segmented, share_of_difference
from small_classifiers import classifier, everywhere
from unet_bundles import random_unet
from volumes_of_noise import noise

from napari_medpatch.events import BlockSegmented, Event, Started, run
from napari_medpatch.infer import block_store
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.infer.precision import exact_convolutions
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import Bundle

CUT = {"block_voxels": 60_000, "uncertainty": True}
ROUNDING = 1e-4
"""Transposed convolutions of a GPU may add in another order each time."""


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    monkeypatch.setattr(block_store, "_EVERY_SECONDS", -1.0)
    return random_unet(tmp_path / "net", levels=2, network={"channels": 16}, class_names=("background", "a", "b"))


def stop_after(blocks: int, source: ArraySource, bundle: Bundle, device: str, parts: Path) -> None:
    """Close a job when some blocks are on disk."""
    job = segment(source, bundle, SegmentSettings(device=device, **CUT), parts=parts)
    while len(list(parts.glob("block-*.npz"))) < blocks:
        next(job)
    job.close()


def started(events: list[Event]) -> Started:
    return next(event for event in events if isinstance(event, Started))


def test_a_stopped_job_goes_on_and_gives_the_same(tmp_path: Path, device: str, bundle: Bundle) -> None:
    source, parts = noise((56, 48, 52)), tmp_path / "parts"
    whole = segmented(source, bundle, device, **CUT)
    stop_after(3, source, bundle, device, parts)
    events = list(segment(source, bundle, SegmentSettings(device=device, **CUT), parts=parts))
    result = events[-1].result
    assert started(events).done >= 3
    assert result.provenance["resumed_blocks"] >= 3
    assert sum(event.box.size for event in events if isinstance(event, BlockSegmented)) == result.mask.size
    assert share_of_difference(result, whole) < ROUNDING
    assert np.abs(result.probabilities.astype(int) - whole.probabilities).max() <= 1


@pytest.mark.parametrize("first", ["cpu", "cuda"])
def test_another_device_begins_anew(tmp_path: Path, cuda: torch.device, bundle: Bundle, first: str) -> None:
    """Devices differ in the last digits: a mask is made on one of them."""
    source, parts = noise((56, 48, 52)), tmp_path / "parts"
    second = "cuda" if first == "cpu" else "cpu"
    stop_after(3, source, bundle, first, parts)
    events = list(segment(source, bundle, SegmentSettings(device=second, **CUT), parts=parts))
    assert started(events).done == 0
    assert share_of_difference(events[-1].result, segmented(source, bundle, second, **CUT)) < ROUNDING


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Run calls at the same time."""
    gate = threading.Barrier(len(calls))

    def begin(call: Callable[[], Any]) -> Any:
        gate.wait(60)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(begin, call) for call in calls]]


def test_jobs_at_the_same_time_do_not_disturb_each_other(
    tmp_path: Path, device: str, bundle: Bundle, slide: ArraySource
) -> None:
    sources = [noise((60, 56, 52), seed=seed) for seed in (1, 2)]
    patches = classifier(tmp_path / "patches")
    windows = random_unet(tmp_path / "windows", levels=2, network={"norm": "group", "window": [32, 32, 32]})

    def scored() -> np.ndarray:
        return run(classify(slide, patches, ClassifySettings(device=device), tissue=everywhere(slide))).probabilities

    def blended() -> np.ndarray:
        return segmented(sources[0], windows, device).probabilities

    alone = [segmented(source, bundle, device, **CUT) for source in sources]
    scores, maps = scored(), blended()
    first, second, found, mixed = together(
        lambda: segmented(sources[0], bundle, device, **CUT),
        lambda: segmented(sources[1], bundle, device, **CUT),
        scored,
        blended,
    )
    assert share_of_difference(first, alone[0]) < ROUNDING
    assert share_of_difference(second, alone[1]) < ROUNDING
    np.testing.assert_allclose(found, scores, atol=1e-2)
    assert np.abs(mixed.astype(int) - maps).max() <= 1


def tensor_float() -> object:
    cudnn = torch.backends.cudnn
    return cudnn.conv.fp32_precision if hasattr(cudnn, "conv") else cudnn.allow_tf32


def test_what_the_program_set_for_convolutions_is_as_before(device: str, bundle: Bundle) -> None:
    before = tensor_float()
    segmented(noise((24, 24, 24)), bundle, device)
    assert tensor_float() == before


def test_float32_is_not_rounded_to_tensorfloat(cuda: torch.device, measured: Callable[[str], None]) -> None:
    torch.manual_seed(0)
    conv, x = torch.nn.Conv3d(64, 64, 3, padding=1).to(cuda), torch.rand(1, 64, 32, 32, 32, device=cuda)
    with torch.inference_mode():
        true = conv.double()(x.double())
        conv = conv.float()
        rounded = float((conv(x) - true).abs().max())
        with exact_convolutions("float32"):
            exact = float((conv(x) - true).abs().max())
    measured(f"one convolution: error {exact:.1e} as we run it, {rounded:.1e} as torch would by default")
    assert exact < 2e-5
