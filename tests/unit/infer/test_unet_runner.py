from pathlib import Path

import numpy as np
import pytest
import torch
from said import finish
from unet_bundles import random_unet

from napari_medpatch.infer import unet_runner
from napari_medpatch.infer.stepwise_layers import unet_steps
from napari_medpatch.infer.unet_runner import UNetRunner
from napari_medpatch.models.unet import UNetConfig, build_unet


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(("levels", "convs", "norm"), [(1, 1, "none"), (3, 2, "batch"), (2, 3, "none")])
@pytest.mark.parametrize("macs", [1.0, 2e5, 1e15])
def test_small_steps_give_the_networks_answer(dimensions: int, levels: int, convs: int, norm: str, macs: float) -> None:
    torch.manual_seed(levels)
    config = UNetConfig(dimensions, 2, 3, levels=levels, channels=3, convs=convs, norm=norm)
    model = build_unet(config).eval()
    x = torch.randn(2, 2, *(12, 8, 16)[:dimensions])
    with torch.inference_mode():
        result, _ = finish(unet_steps(model, x, macs))
        assert result.shape == (2, 3, *x.shape[2:])
        torch.testing.assert_close(result, model(x), atol=1e-5, rtol=1e-4)


def test_steps_are_bounded_and_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unet_runner, "_STEP_MACS", 4e5)
    runner = UNetRunner(random_unet(tmp_path / "net"))
    block = np.random.default_rng(0).random((1, 16, 16, 16), np.float32)
    logits, shares = finish(runner.logits(block))
    assert logits.shape == (2, 16, 16, 16)
    assert len(shares) > 20
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=1e-6)


def test_nothing_of_torchs_state_leaks_between_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unet_runner, "_STEP_MACS", 4e5)
    runner = UNetRunner(random_unet(tmp_path / "net"), precision="bfloat16")
    states = [
        (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"))
        for _ in runner.logits(np.zeros((1, 8, 8, 8), np.float32))
    ]
    assert len(states) > 3
    assert set(states) == {(True, False, False)}


def test_slices_are_the_batch(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", "segment-2d", levels=2)
    block = np.random.default_rng(0).random((1, 8, 5, 12), np.float32)
    logits, _ = finish(UNetRunner(bundle, slice_axis=1).logits(block))
    assert logits.shape == (2, 8, 5, 12)
    with torch.no_grad():
        expected = bundle.load()(torch.from_numpy(block[:, :, 3][None]))[0]
    torch.testing.assert_close(logits[:, :, 3], expected, atol=1e-5, rtol=1e-4)


def test_blocks_are_the_same_size_unless_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = UNetRunner(random_unet(tmp_path / "net"))
    sizes = []
    for free in (1 << 40, 1 << 38, 1 << 30):
        monkeypatch.setattr(unet_runner, "available_memory", lambda device, free=free: free)
        sizes.append(runner.block_voxels())
    assert sizes[0] == sizes[1] > sizes[2] > 1_000_000
