"""Our U-Net on a GPU gives the masks that it gives on a processor."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs_on import logits, segmented, share_of_difference
from unet_bundles import HU, random_unet
from volumes_of_noise import noise

from napari_medpatch.infer.precision import native_bfloat16
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.registry import resolve_model
from napari_medpatch.samples import make_fundus, make_thorax

NEAR = 2e-3
"""Logits have the deviation 4; sums of another order differ far less, TensorFloat-32 far more."""
THREE = {"class_names": ("background", "a", "b")}


def test_float32_logits_are_those_of_the_processor(
    tmp_path: Path, device: str, measured: Callable[[str], None]
) -> None:
    bundle, source = random_unet(tmp_path / "net", network={"channels": 16}, **THREE), noise((48, 72, 60))
    here, _ = logits(source, bundle, device)
    expected, _ = logits(source, bundle, "cpu")
    worst = float(np.abs(here - expected).max())
    mask, mask_cpu = (segmented(source, bundle, name) for name in (device, "cpu"))
    share = share_of_difference(mask, mask_cpu)
    measured(f"3D U-Net, float32 against the processor: largest difference of logits {worst:.1e}, labels {share:.1e}")
    assert np.abs(expected).max() > 4
    assert worst < NEAR
    assert share < 1e-4
    assert np.abs(mask.probabilities.astype(int) - mask_cpu.probabilities).max() <= 1


@pytest.mark.parametrize(("levels", "voxels"), [(2, 100_000), (3, 220_000)])
def test_tiles_give_the_logits_of_one_pass(
    tmp_path: Path, device: str, levels: int, voxels: int, measured: Callable[[str], None]
) -> None:
    bundle, source = random_unet(tmp_path / "net", levels=levels, network={"channels": 16}), noise((64, 80, 72))
    whole, count = logits(source, bundle, device, block_voxels=10**9)
    tiled, blocks = logits(source, bundle, device, block_voxels=voxels)
    worst = float(np.abs(whole - tiled).max())
    measured(f"3D U-Net of {levels} levels in {blocks} tiles against one pass: largest difference {worst:.1e}")
    assert (count, blocks > 4) == (1, True)
    assert worst <= 1e-4


def test_the_lung_model_finds_the_same_lungs(device: str, measured: Callable[[str], None]) -> None:
    thorax = make_thorax((60, 80, 100), spacing=(5.0, 4.0, 4.0), seed=1234, noise=25.0)
    source, bundle = ArraySource(thorax.hu, "volume", (5.0, 4.0, 4.0)), resolve_model("lungs-ct-unet3d")
    here, there = (segmented(source, bundle, name) for name in (device, "cpu"))
    half = segmented(source, bundle, device, precision="bfloat16")
    shares = share_of_difference(here, there), share_of_difference(half, there)
    measured(f"lung model: labels differ in float32 {shares[0]:.1e}, in bfloat16 {shares[1]:.1e} of the voxels")
    assert (here.mask & thorax.lungs).sum() / (here.mask | thorax.lungs).sum() > 0.85
    assert shares[0] < 1e-4
    assert shares[1] < 5e-3


def test_the_vessel_model_finds_the_same_vessels(device: str) -> None:
    source = ArraySource(make_fundus((400, 400), seed=4321).image, "photo")
    here, there = (segmented(source, resolve_model("fundus-vessels-unet2d"), name) for name in (device, "cpu"))
    assert here.mask.any()
    assert share_of_difference(here, there) < 1e-4


def test_bfloat16_is_near_float32_and_says_so(tmp_path: Path, device: str, measured: Callable[[str], None]) -> None:
    bundle, source = random_unet(tmp_path / "net", network={"channels": 16}), noise((48, 64, 64))
    exact, half = (segmented(source, bundle, device, precision=name) for name in ("float32", "bfloat16"))
    share = share_of_difference(exact, half)
    measured(f"random 3D U-Net in bfloat16: {share:.1e} of the voxels change their label")
    assert (exact.provenance["precision"], half.provenance["precision"]) == ("float32", "bfloat16")
    assert not np.array_equal(exact.probabilities, half.probabilities), "bfloat16 was not used"
    assert share < 0.05


def test_auto_is_float32_and_fast_follows_a_trial(tmp_path: Path, device: str, measured: Callable[[str], None]) -> None:
    bundle, source = random_unet(tmp_path / "net", network={"channels": 16}), noise((32, 32, 32))
    auto, fast = (segmented(source, bundle, device, precision=name) for name in ("auto", "fast"))
    assert auto.provenance["precision"] == "float32"
    speedup = fast.provenance["bfloat16_speedup"]
    measured(f"trial of a 3D U-Net with 16 channels: bfloat16 is {speedup} times as fast as float32")
    if native_bfloat16(torch.device(device)):
        assert fast.provenance["precision"] == ("bfloat16" if speedup > 1 else "float32")
    else:
        assert (fast.provenance["precision"], speedup) == ("float32", None)


@pytest.mark.parametrize("axis", [0, 1, 2, "all"])
def test_slices_of_a_volume(tmp_path: Path, device: str, axis: object) -> None:
    bundle, source = random_unet(tmp_path / "net", "segment-2d", **THREE), noise((20, 28, 24), (2.0, 1.0, 1.0))
    here, there = (segmented(source, bundle, name, axis=axis, uncertainty=True) for name in (device, "cpu"))
    assert here.provenance["slice_axis"] == axis
    assert 0.02 < (here.mask > 0).mean() < 0.98
    # The average of three axes is made of rounded probabilities, which may fall to either side.
    assert share_of_difference(here, there) < (5e-3 if axis == "all" else 1e-3)
    assert np.abs(here.probabilities.astype(int) - there.probabilities).max() <= 1


@pytest.mark.parametrize("axis", [0, 2])
def test_stacks_of_slices(tmp_path: Path, device: str, axis: int) -> None:
    bundle = random_unet(tmp_path / "net", "segment-2d", levels=2, in_channels=3, stack=3, intensity=HU)
    source = noise((20, 28, 24), (2.0, 1.0, 1.0))
    here, there = (segmented(source, bundle, name, axis=axis) for name in (device, "cpu"))
    cut = segmented(source, bundle, device, axis=axis, block_voxels=2000)
    assert share_of_difference(here, there) < 1e-3
    assert share_of_difference(here, cut) < 1e-3


def test_uncertainty_is_that_of_the_processor(tmp_path: Path, device: str) -> None:
    bundle, source = random_unet(tmp_path / "net", levels=2, **THREE), noise((32, 40, 36))
    here, there = (segmented(source, bundle, name, uncertainty=True).uncertainty for name in (device, "cpu"))
    assert np.abs(here.astype(int) - there).max() <= 1
    assert here.max() > 100 > here.min()


def test_the_classical_lung_model_stays_on_the_processor(device: str) -> None:
    thorax = make_thorax((40, 64, 80), spacing=(6.0, 5.0, 5.0), seed=5)
    source, bundle = ArraySource(thorax.hu, "volume", (6.0, 5.0, 5.0)), resolve_model("lungs-threshold")
    here, there = (segmented(source, bundle, name) for name in (device, "cpu"))
    assert here.provenance["device"] == "cpu"
    np.testing.assert_array_equal(here.mask, there.mask)


def test_the_record_names_the_device(tmp_path: Path, device: str) -> None:
    result = segmented(noise((16, 16, 16)), random_unet(tmp_path / "net", levels=2), "auto")
    assert result.provenance["device"].startswith(device)
