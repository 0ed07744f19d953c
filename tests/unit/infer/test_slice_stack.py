from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_folders import write_folder
from unet_bundles import random_unet

from napari_medpatch.errors import BundleError
from napari_medpatch.events import run
from napari_medpatch.geometry import Box
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.infer.segment_plan import plan_segmentation
from napari_medpatch.infer.slice_stack import StackedImage
from napari_medpatch.infer.working_grid import WorkingGrid
from napari_medpatch.infer.working_image import VolumeImage
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import normalise_volume

CARD = ModelCard(
    "ct", "segment-2d", "unet", ("background", "lung"), in_channels=3, stack=3,
    intensity={"kind": "hu_window", "low": 0, "high": 1000},
)  # fmt: skip


def prepared(hu: np.ndarray, axis: int, stack: int, step: float = 1.0) -> StackedImage:
    image = VolumeImage(ArraySource(hu, "volume", (1, 1, 1)), CARD, WorkingGrid.centred(hu.shape, (1, 1, 1)))
    stacked = StackedImage(image, axis, stack, step)
    for _ in stacked.prepare():
        pass
    return stacked


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("stack", [1, 3, 5])
def test_channels_are_neighbours_and_the_edge_is_repeated(axis: int, stack: int) -> None:
    hu = np.random.default_rng(0).integers(0, 1000, (6, 7, 8)).astype(np.int16)
    found = prepared(hu, axis, stack).block(Box.whole(hu.shape))
    values = normalise_volume(hu, CARD)
    wide = [(stack // 2,) * 2 if each == axis else (0, 0) for each in range(3)]
    padded = np.pad(values, wide, mode="edge")
    for channel in range(stack):
        expected = padded.take(np.arange(hu.shape[axis]) + channel, axis)
        np.testing.assert_allclose(found[channel], expected, atol=1e-6)


def test_a_part_is_part_of_the_whole() -> None:
    hu = np.random.default_rng(0).integers(0, 1000, (9, 7, 8)).astype(np.int16)
    stacked = prepared(hu, 0, 5)
    box = Box((2, 1, 0), (5, 6, 8))
    np.testing.assert_array_equal(stacked.block(box), stacked.block(Box.whole(hu.shape))[(slice(None), *box.slices)])


def test_channels_between_slices_are_interpolated() -> None:
    hu = np.broadcast_to((np.arange(10) * 100)[:, None, None], (10, 4, 4)).astype(np.int16)
    found = prepared(hu, 0, 3, step=1.5).block(Box((4, 0, 0), (5, 4, 4)))
    np.testing.assert_allclose(found[:, 0, 0, 0], [0.25, 0.4, 0.55], atol=1e-6)


def test_a_stack_spacing_in_mm_follows_the_axis() -> None:
    source = ArraySource(np.zeros((8, 9, 10), np.int16), "volume", (2.0, 1.0, 0.5))
    card = ModelCard(
        "ct", "segment-2d", "unet", ("background", "lung"), in_channels=3, stack=3, stack_spacing=2.0, slice_axis=1,
        intensity=CARD.intensity,
    )  # fmt: skip
    ramp = ArraySource(
        np.broadcast_to((np.arange(9) * 100)[None, :, None], (8, 9, 10)).astype(np.int16), "volume", (2.0, 1.0, 0.5)
    )
    plan = plan_segmentation(ramp, card)
    for _ in plan.image.prepare():
        pass
    assert plan.slice_axis == 1
    np.testing.assert_allclose(plan.image.block(Box((0, 4, 0), (1, 5, 1)))[:, 0, 0, 0], [0.2, 0.4, 0.6], atol=1e-6)
    assert plan_segmentation(source, card, 0).slice_axis == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_our_unet_takes_stacks_exactly_however_it_is_cut(tmp_path: Path, axis: int) -> None:
    bundle = random_unet(tmp_path / "net", "segment-2d", levels=2, in_channels=3, stack=3, intensity=CARD.intensity)
    hu = np.random.default_rng(0).integers(0, 1000, (10, 12, 14)).astype(np.int16)
    source = ArraySource(hu, "volume", (3.0, 2.0, 1.0))
    settings = SegmentSettings(device="cpu", axis=axis, postprocess=False)
    whole = run(segment(source, bundle, settings))
    pieces = run(segment(source, bundle, SegmentSettings(device="cpu", axis=axis, postprocess=False, block_voxels=600)))
    np.testing.assert_array_equal(whole.mask, pieces.mask)
    channels = np.moveaxis(normalise_volume(hu, bundle.card), axis, 0)
    index = 4
    stacked = torch.from_numpy(channels[index - 1 : index + 2].copy())[None]
    up = [(-n) % 2 for n in stacked.shape[2:]]
    with torch.inference_mode():
        logits = bundle.load()(torch.nn.functional.pad(stacked, (0, up[1], 0, up[0])))[0]
    expected = logits.argmax(0)[: stacked.shape[2], : stacked.shape[3]].numpy()
    np.testing.assert_array_equal(whole.mask.take(index, axis), expected)


class Above(torch.nn.Module):
    """Foreground where the slice before is dark: the mask moves by one slice."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = x[:, :1]
        return torch.cat([torch.zeros_like(before), 0.5 - before], dim=1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_2d_network_from_elsewhere_takes_stacks_along_any_axis(tmp_path: Path, axis: int) -> None:
    hu = np.full((8, 9, 10), 500, np.int16)
    hu[2:5, 3:6, 4:7] = -500
    folder = write_folder(
        tmp_path / "net", Above(), task="segment-2d", stack=3, slice_axis=axis, network={},
        intensity={"kind": "hu_window", "low": -1000, "high": 1000},
    )  # fmt: skip
    result = run(segment(ArraySource(hu, "volume", (2, 1, 3)), load_bundle(folder), SegmentSettings(device="cpu")))
    assert result.provenance["slice_axis"] == axis
    np.testing.assert_array_equal(result.mask, np.roll(hu < 0, 1, axis))


def test_a_model_of_many_channels_is_refused(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", in_channels=4, intensity=CARD.intensity)
    with pytest.raises(BundleError, match="takes 4 channels and an image here has 1"):
        run(segment(ArraySource(np.zeros((8, 8, 8), np.int16), "volume", (1, 1, 1)), bundle))
