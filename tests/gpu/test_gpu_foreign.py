"""Networks from elsewhere, and windows, on a GPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_folders import NETWORK_DEF, Darkness, write_exported, write_folder, write_monai
from jobs_on import logits, segmented, share_of_difference
from unet_bundles import random_unet
from volumes_of_noise import noise

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import load_bundle


class Rows(torch.nn.Module):
    """Looks at its maps as rows, which they are in torch's own memory order only; makes tensors while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv3d(1, 4, 3, padding=1)
        self.head = torch.nn.Conv3d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.conv(x)
        rows = maps.view(maps.shape[0], maps.shape[1], -1)
        rows = rows * torch.ones(4, 1, device=x.device) + torch.zeros_like(rows)
        return self.head(rows.view(maps.shape)) * 5


@pytest.fixture
def volume() -> ArraySource:
    hu = np.full((20, 26, 30), 40, np.int16)
    hu[2:9, 4:16, 3:10] = -1000
    return ArraySource(hu, "volume", (1.0, 1.0, 1.0))


def air(source: ArraySource) -> np.ndarray:
    return np.asarray(source.data) < 0


@pytest.mark.parametrize("precision", ["auto", "bfloat16", "fast"])
def test_torchscript(tmp_path: Path, device: str, volume: ArraySource, precision: str) -> None:
    bundle = load_bundle(write_folder(tmp_path / "dark", Darkness()))
    result = segmented(volume, bundle, device, precision=precision)
    assert result.provenance["device"] == device
    np.testing.assert_array_equal(result.mask, air(volume))


def test_torchscript_in_half_precision(tmp_path: Path, device: str, volume: ArraySource) -> None:
    bundle = load_bundle(write_folder(tmp_path / "dark", Darkness().to(torch.bfloat16)))
    np.testing.assert_array_equal(segmented(volume, bundle, device).mask, air(volume))


@pytest.mark.parametrize("batch", [1, 2])
def test_a_program_exported_on_the_processor(tmp_path: Path, device: str, volume: ArraySource, batch: int) -> None:
    bundle = load_bundle(write_exported(tmp_path / "dark", Darkness(), (batch, 1, 16, 16, 16)))
    np.testing.assert_array_equal(segmented(volume, bundle, device).mask, air(volume))


@pytest.mark.parametrize("how", ["script", "export", "trace"])
def test_networks_that_want_their_maps_in_order(tmp_path: Path, device: str, how: str) -> None:
    torch.manual_seed(0)
    network = Rows().eval()
    if how == "export":
        folder = write_exported(tmp_path / "rows", network, (2, 1, 16, 16, 16))
    else:
        folder = write_folder(tmp_path / "rows", network)
    if how == "trace":
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 1, 16, 16, 16)), folder / "torchscript_model.pt")
    source, bundle = noise((64, 20, 28)), load_bundle(folder)
    here, there = (segmented(source, bundle, name) for name in (device, "cpu"))
    assert 0.02 < there.mask.mean() < 0.98
    assert share_of_difference(here, there) < 1e-3


def test_a_monai_bundle(tmp_path: Path, device: str, measured: Callable[[str], None]) -> None:
    nets = pytest.importorskip("monai.networks.nets")
    torch.manual_seed(0)
    network = nets.BasicUNet(**{key: value for key, value in NETWORK_DEF.items() if key != "_target_"}).eval()
    bundle = load_bundle(write_monai(tmp_path / "dark_ct", network))
    hu = np.random.default_rng(0).normal(-300, 300, (12, 13, 14)).repeat(3, 0).repeat(3, 1).repeat(3, 2)
    source = ArraySource(hu.astype(np.int16), "volume", (3.0, 2.0, 1.5))
    here, there = (segmented(source, bundle, name) for name in (device, "cpu"))
    share = share_of_difference(here, there)
    measured(f"BasicUNet of MONAI in windows: labels differ from the processor's by {share:.1e}")
    assert 0.02 < there.mask.mean() < 0.98
    assert share < 1e-3
    assert np.abs(here.probabilities.astype(int) - there.probabilities).max() <= 1


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_windows_are_blended_as_monai_does(
    tmp_path: Path, device: str, norm: str, measured: Callable[[str], None]
) -> None:
    inferers = pytest.importorskip("monai.inferers")
    window = (32, 32, 32)
    bundle = random_unet(tmp_path / "net", levels=2, network={"norm": norm, "channels": 8, "window": window})
    source = noise((56, 48, 60))
    found, slabs = logits(source, bundle, device)
    pixels = np.clip((np.asarray(source.data, np.float32) + 1000) / 1400, 0, 1)
    with torch.inference_mode():
        batch = torch.from_numpy(pixels)[None, None]
        expected = inferers.sliding_window_inference(batch, window, 4, bundle.load(), 0.5, mode="gaussian")[0].numpy()
    worst = float(np.abs(found - expected).max())
    measured(f"{norm} normalisation in windows against MONAI on the processor: largest difference {worst:.1e}")
    assert slabs > 2
    assert worst < 3e-3


def test_windows_of_slices(tmp_path: Path, device: str) -> None:
    bundle = random_unet(tmp_path / "net", "segment-2d", levels=2, network={"norm": "instance"})
    source = noise((12, 40, 36), (3.0, 1.0, 1.0))
    here, there = (segmented(source, bundle, name, axis=0) for name in (device, "cpu"))
    assert share_of_difference(here, there) < 1e-3
