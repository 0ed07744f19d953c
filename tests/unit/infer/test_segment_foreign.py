from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_folders import NETWORK_DEF, Darkness, write_exported, write_folder, write_monai
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import BasicUNet
from monai.transforms import ScaleIntensityRange
from unet_bundles import random_unet

from napari_medpatch.errors import BundleError
from napari_medpatch.events import BlockSegmented, Event, Started, run
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import load_bundle

SHAPE = (20, 26, 30)


class Shifted(Darkness):
    """Shifts its answer along its first axis, so that its axes show in the mask."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        moved = torch.cat([x[:, :, -2:], x[:, :, :-2]], dim=2)
        return self.head(moved)


class SigmoidShares(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x < 0.5, torch.full_like(x, 0.8), torch.full_like(x, 0.12))


class SoftmaxShares(SigmoidShares):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        share = torch.where(x < 0.5, torch.full_like(x, 0.8), torch.full_like(x, 0.12))
        return torch.cat([1 - share, share], dim=1)


def box_in_tissue(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Soft tissue with a box of air in one corner, so that flips and swaps are seen."""
    hu = np.full(shape, 40, np.int16)
    hu[2:9, 4:16, 3:10] = -1000
    return hu


def segmented(folder: Path, hu: np.ndarray, spacing: Any = (1.0, 1.0, 1.0), **settings: Any) -> Any:
    source = ArraySource(hu, "volume", spacing)
    return run(segment(source, load_bundle(folder), SegmentSettings(device="cpu", **settings)))


def test_torchscript_gives_the_mask_on_the_volumes_grid(tmp_path: Path) -> None:
    hu = box_in_tissue()
    result = segmented(write_folder(tmp_path / "dark", Darkness()), hu)
    np.testing.assert_array_equal(result.mask, hu < 0)
    assert result.class_names == ("dark",)
    assert result.provenance["tiling"] == "windows"


@pytest.mark.parametrize("batch", [1, 2])
def test_an_exported_program_gives_the_same(tmp_path: Path, batch: int) -> None:
    hu = box_in_tissue()
    result = segmented(write_exported(tmp_path / "dark", Darkness(), (batch, 1, 16, 16, 16)), hu)
    np.testing.assert_array_equal(result.mask, hu < 0)


def test_a_known_reach_makes_the_tiling_exact(tmp_path: Path) -> None:
    hu = box_in_tissue()
    folder = write_folder(tmp_path / "dark", Darkness(), network={"receptive_radius": 0, "multiple": 4})
    result = segmented(folder, hu, block_voxels=4000)
    assert result.provenance["tiling"] == "exact"
    assert result.provenance["blocks"] > 3
    np.testing.assert_array_equal(result.mask, hu < 0)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SPL", "IAR", "ASR"])
def test_a_network_gets_the_axes_it_wants(tmp_path: Path, orientation: str) -> None:
    hu = box_in_tissue((16, 16, 16))
    network = {"window": [16, 16, 16], "orientation": orientation}
    result = segmented(write_folder(tmp_path / "dark", Shifted(), network=network), hu)
    step = {"R": (2, -2), "L": (2, 2), "A": (1, -2), "P": (1, 2), "S": (0, 2), "I": (0, -2)}
    axis, shift = step[orientation[0]]
    np.testing.assert_array_equal(result.mask, np.roll(hu < 0, shift, axis))


def test_a_monai_bundle_gives_what_monais_own_pipeline_gives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = BasicUNet(**{k: v for k, v in NETWORK_DEF.items() if k != "_target_"}).eval()
    folder = write_monai(tmp_path / "dark_ct", network)
    rng = np.random.default_rng(0)
    hu = rng.normal(-300, 300, (12, 13, 14)).repeat(3, 0).repeat(3, 1).repeat(3, 2).astype(np.int16)
    result = segmented(folder, hu, (3.0, 2.0, 1.5))
    pixels = hu.transpose(2, 1, 0)[None, ::-1, ::-1].astype(np.float32).copy()  # (x, y, z) of RAS
    pixels = ScaleIntensityRange(-1000, 400, 0, 1, clip=True)(pixels)
    with torch.inference_mode():
        inferer = SlidingWindowInferer((32, 16, 48), 4, overlap=0.5, mode="gaussian")
        expected = inferer(torch.as_tensor(np.asarray(pixels))[None], network)[0]
    labels = expected.argmax(0).numpy()[::-1, ::-1].transpose(2, 1, 0)
    assert 0.02 < labels.mean() < 0.98
    assert (result.mask != labels).mean() < 1e-4
    probability = expected.softmax(0)[1].numpy()[::-1, ::-1].transpose(2, 1, 0) * 255
    assert np.abs(result.probabilities[0] - probability).max() <= 1


def test_windows_fill_the_mask_slab_by_slab_and_can_be_stopped(tmp_path: Path) -> None:
    hu = np.full((64, 20, 20), -1000, np.int16)
    hu[-1] = 40
    folder = write_folder(tmp_path / "dark", Darkness())
    events: list[Event] = []
    job = segment(ArraySource(hu, "volume", (1, 1, 1)), load_bundle(folder), SegmentSettings(device="cpu"))
    for event in job:
        events.append(event)
        if sum(isinstance(each, BlockSegmented) for each in events) == 3:
            job.close()
            break
    blocks = [event for event in events if isinstance(event, BlockSegmented)]
    assert [block.box.start[0] for block in blocks] == [0, 8, 16]
    assert all((block.labels == 1).all() for block in blocks)
    assert isinstance(events[0], Started)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_probabilities_are_taken_as_such(tmp_path: Path, activation: str) -> None:
    hu = box_in_tissue()
    network = {"window": [16, 16, 16], "activation": activation, "output": "probabilities"}
    scripted = SigmoidShares() if activation == "sigmoid" else SoftmaxShares()
    result = segmented(write_folder(tmp_path / "shares", scripted, network=network), hu, threshold=0.7)
    np.testing.assert_array_equal(result.mask, hu < 0)
    assert sorted(np.unique(result.probabilities)) == [31, 204]


class Small(torch.nn.Module):
    """Gives half the input's size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool3d(torch.cat([x, x], dim=1), 2)


class NotANumber(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, x], dim=1) / 0 * 0


class TwoInputs(torch.nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, mask], dim=1)


class TwoChannels(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv3d(2, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (Darkness(classes=4), "gives 4 channels, but its config.json names 2: background, dark"),
        (Small(), "gives an output of 2 × 8 × 8 × 8 for an input of 1 × 16 × 16 × 16"),
        (NotANumber(), "not finite numbers"),
        (TwoInputs(), "does not take an input of 1 × 16 × 16 × 16"),
        (TwoChannels(), "does not take an input of 1 × 16 × 16 × 16"),
    ],
)
def test_a_network_that_does_not_fit_is_one_sentence(tmp_path: Path, network: torch.nn.Module, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence) as caught:
        segmented(write_folder(tmp_path / "odd", network), box_in_tissue())
    assert "\n" not in str(caught.value)


def test_an_exported_program_says_which_window_it_takes(tmp_path: Path) -> None:
    folder = write_exported(tmp_path / "fixed", Darkness(), (1, 1, 8, 16, 12))
    with pytest.raises(BundleError, match=r'"window": \[8, 16, 12\]'):
        segmented(folder, box_in_tissue())


class Deep(Darkness):
    """Deep supervision as a list."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:  # type: ignore[override]
        return [self.head(x), self.head(x)[:, :, ::2]]


class Named(Darkness):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:  # type: ignore[override]
        return {"aux": -self.head(x), "out": self.head(x)}


class Stacked(Darkness):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.head(x), -self.head(x)], dim=1)


@pytest.mark.parametrize("network", [Deep(), Named(), Stacked()])
def test_the_main_output_is_found(tmp_path: Path, network: torch.nn.Module) -> None:
    hu = box_in_tissue()
    np.testing.assert_array_equal(segmented(write_folder(tmp_path / "net", network), hu).mask, hu < 0)


def test_half_precision_weights_get_half_precision_pixels(tmp_path: Path) -> None:
    hu = box_in_tissue()
    network = Darkness().to(torch.bfloat16)
    np.testing.assert_array_equal(segmented(write_folder(tmp_path / "half", network), hu).mask, hu < 0)


def test_a_stopped_run_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    hu = np.random.default_rng(0).integers(-1000, 400, (40, 18, 20)).astype(np.int16)
    bundle = load_bundle(write_folder(tmp_path / "net", Shifted()))
    source, settings, parts = ArraySource(hu, "volume", (1, 1, 1)), SegmentSettings(device="cpu"), tmp_path / "parts"
    whole = run(segment(source, bundle, settings))
    for event in (job := segment(source, bundle, settings, parts=parts)):
        if isinstance(event, BlockSegmented) and event.box.start[0] >= 8:
            job.close()
            break
    again = run(segment(source, bundle, settings, parts=parts))
    assert again.provenance["resumed_blocks"] >= 1
    np.testing.assert_array_equal(again.mask, whole.mask)
    np.testing.assert_array_equal(again.probabilities, whole.probabilities)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_of_any_axis_are_resampled_in_their_plane(tmp_path: Path, axis: int) -> None:
    """Thick slices: each plane has its own two spacings, and the mask lies where the box is."""
    hu = box_in_tissue((12, 40, 44))
    folder = write_folder(tmp_path / "flat", Darkness(ndim=2), task="segment-2d", spacing=[1.5, 0.75], network={})
    result = segmented(folder, hu, (3.0, 1.0, 0.5), axis=axis)
    voxel, wanted = [3.0, 1.0, 0.5], [1.5, 0.75]
    moving = [each for each in range(3) if each != axis]
    shape = [n if each == axis else 0 for each, n in enumerate(hu.shape)]
    for each, size in zip(moving, wanted, strict=True):
        shape[each] = int(np.ceil(hu.shape[each] * voxel[each] / size - 1e-6))
    assert result.provenance["working_shape"] == shape
    truth = hu < 0
    assert 2 * (result.mask.astype(bool) & truth).sum() / (result.mask.sum() + truth.sum()) > 0.85


class Reddish(torch.nn.Module):
    """Foreground where red is above blue, whatever the mean colour of what it sees."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        red = (x[:, :1] - x[:, 2:]) * 20
        return torch.cat([-red, red], dim=1)


@pytest.mark.parametrize("kind", ["photo", "slide"])
def test_colour_networks_segment_photographs_and_slides(tmp_path: Path, kind: str) -> None:
    rgb = np.full((90, 130, 3), (90, 120, 200), np.uint8)
    rgb[20:60, 30:100] = (200, 90, 80)
    folder = write_folder(
        tmp_path / "red", Reddish(), task="segment-2d", class_names=["background", "red"],
        intensity={"kind": "rgb"}, network={"window": [64, 64], "overlap": 0.25},
    )  # fmt: skip
    result = run(segment(ArraySource(rgb, kind, (0.5, 0.5)), load_bundle(folder), SegmentSettings(device="cpu")))
    np.testing.assert_array_equal(result.mask, rgb[..., 0] > 150)


@pytest.mark.parametrize("precision", ["bfloat16", "fast"])
def test_other_precisions_are_accepted(tmp_path: Path, precision: str) -> None:
    hu = box_in_tissue()
    result = segmented(write_folder(tmp_path / "net", Darkness()), hu, precision=precision)
    np.testing.assert_array_equal(result.mask, hu < 0)


@pytest.mark.parametrize("norm", ["instance", "group", "batch"])
def test_our_unet_is_blended_where_it_cannot_be_tiled(tmp_path: Path, norm: str) -> None:
    bundle = random_unet(tmp_path / "net", levels=2, network={"norm": norm})
    hu = np.random.default_rng(0).integers(-1000, 400, (12, 20, 16)).astype(np.int16)
    result = run(segment(ArraySource(hu, "volume", (1, 1, 1)), bundle, SegmentSettings(device="cpu")))
    assert result.provenance["tiling"] == ("exact" if norm == "batch" else "windows")
    if norm != "batch":
        pixels = ScaleIntensityRange(-1000, 400, 0, 1, clip=True)(hu[None].astype(np.float32))
        with torch.inference_mode():
            whole = SlidingWindowInferer((96, 96, 96), 1, mode="gaussian")(torch.as_tensor(pixels)[None], bundle.load())
        assert (result.mask != whole[0].argmax(0).numpy()).mean() < 1e-3
