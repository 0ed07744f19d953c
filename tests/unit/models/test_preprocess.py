from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from napari_medpatch.errors import BundleError
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import (
    input_shape,
    normalise_image,
    normalise_patches,
    normalise_volume,
    reference_transform,
    resize_like_pil,
)

CT = ModelCard(
    "ct",
    "segment-3d",
    "unet",
    ("background", "lung"),
    in_channels=1,
    intensity={"kind": "hu_window", "low": -1000, "high": 400},
)
PATCHES = ModelCard(
    "patches",
    "patch-classifier",
    "resnet18",
    ("a", "b"),
    patch_size_pixels=350,
    spacing_um_px=0.25,
    transform=(
        {"name": "Resize", "arguments": {"size": 224}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.72, 0.57, 0.68], "std": [0.11, 0.15, 0.11]}},
    ),
)


def photograph(height: int, width: int) -> np.ndarray:
    """Smooth colours with hard edges and noise, the hard case for filters."""
    rng = np.random.default_rng(height)
    y, x = np.mgrid[:height, :width]
    waves = 128 + 100 * np.sin(y / 9)[..., None] * np.cos(x[..., None] / np.array([5, 11, 23]))
    waves[(y // 13 + x // 7) % 5 == 0] = 255
    return np.clip(waves + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


def test_hu_window_maps_to_zero_and_one() -> None:
    hu = np.array([-3000, -1000, -300, 400, 3000], np.int16)
    result = normalise_volume(hu, CT)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [0, 0, 0.5, 1, 1], atol=1e-6)


def test_nan_counts_as_air() -> None:
    assert normalise_volume(np.array([np.nan, 400.0]), CT).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("intensity", [{}, {"kind": "rgb"}, {"kind": "hu_window", "low": 5, "high": 5}])
def test_a_ct_model_needs_a_window(intensity: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="HU window"):
        normalise_volume(np.zeros(3), replace(CT, intensity=intensity))


def test_colours_are_centred_and_scaled() -> None:
    card = replace(CT, intensity={"kind": "rgb", "mean": [0.5, 0.5, 0.0], "std": [0.5, 0.25, 1.0]})
    result = normalise_image(np.array([[[255, 0, 51]]], np.uint8), card)
    np.testing.assert_allclose(result, [[[1.0, -2.0, 0.2]]], atol=1e-6)
    with pytest.raises(BundleError, match="three each"):
        normalise_image(np.zeros((2, 2, 3)), replace(CT, intensity={"kind": "rgb", "std": [0, 1, 1]}))
    with pytest.raises(BundleError, match="'rgb'"):
        normalise_image(np.zeros((2, 2, 3)), CT)


@pytest.mark.parametrize("shape", [(350, 350), (700, 700), (100, 100), (351, 500)])
def test_batches_are_resized_as_pil_resizes(shape: tuple[int, int]) -> None:
    image = photograph(*shape)
    ours = resize_like_pil(torch.from_numpy(image)[None].permute(0, 3, 1, 2), (224, 224))[0].permute(1, 2, 0)
    pil = np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.BILINEAR))
    difference = np.abs(ours.numpy().astype(int) - pil)
    assert difference.max() <= 1
    assert difference.mean() < 0.02


@pytest.mark.parametrize("edge", [350, 700])
def test_the_batch_path_equals_the_reference(edge: int) -> None:
    image = photograph(edge, edge)
    batch = normalise_patches(torch.from_numpy(image)[None], PATCHES)
    exact = reference_transform(Image.fromarray(image), PATCHES)
    assert batch.shape == (1, 3, 224, 224)
    # One grey value is 1 / 255 / 0.11 after normalisation.
    assert (batch[0] - exact).abs().max() < 0.04
    assert (batch[0] - exact).abs().mean() < 0.001


def test_without_a_resize_step_patches_come_to_the_models_size() -> None:
    card = replace(PATCHES, transform=PATCHES.transform[1:], patch_size_pixels=96)
    assert normalise_patches(torch.zeros(2, 192, 192, 3, dtype=torch.uint8), card).shape == (2, 3, 96, 96)
    assert input_shape(card, (96, 96)) == (96, 96)


def test_one_size_is_the_shorter_edge_and_two_are_exact() -> None:
    card = replace(PATCHES, patch_size_pixels=None)
    assert input_shape(card, (300, 600)) == (224, 448)
    assert input_shape(card, (600, 300)) == (448, 224)
    exact = replace(card, transform=({"name": "Resize", "arguments": {"size": [10, 20]}},))
    assert input_shape(exact, (600, 300)) == (10, 20)


@pytest.mark.parametrize(
    "step",
    [
        {"name": "CenterCrop", "arguments": {"size": 3}},
        {"name": "Resize", "arguments": {"size": 3, "interpolation": "nearest"}},
        {"name": "Resize", "arguments": {"size": 3, "antialias": False}},
        {"name": "Normalize", "arguments": {"mean": [0, 0, 0]}},
    ],
)
def test_unknown_steps_are_refused(step: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="transform"):
        normalise_patches(torch.zeros(1, 8, 8, 3, dtype=torch.uint8), replace(PATCHES, transform=(step,)))
