"""Fixtures of the window tests: a registered plugin with settings of its own, small images, fake jobs."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManifest

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.plugin.triton_guard import keep_triton_out

MANIFEST = Path(__file__).parents[2] / "napari_medpatch" / "napari.yaml"


@pytest.fixture(autouse=True)
def plugin(npe2pm: Any, plugin_settings: None) -> Iterator[Any]:
    """Register the plugin, and keep its preferences out of the user's folder."""
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    yield npe2pm
    keep_triton_out()  # the window drew; later tests of this process may import torch


@pytest.fixture(autouse=True)
def _only_test_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the shipped models: which of them a list begins with is not what these tests are about."""
    monkeypatch.setattr("napari_medpatch.models.registry.SHIPPED", tmp_path / "no shipped models")


@pytest.fixture
def viewer(make_napari_viewer: Any, plugin: Any) -> Any:
    """A real window."""
    return make_napari_viewer()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Sentences that napari would show."""
    from napari.utils.notifications import notification_manager

    messages: list[str] = []

    def take(notification: Any) -> None:
        messages.append(str(notification.message))

    notification_manager.notification_ready.connect(take)
    yield messages
    notification_manager.notification_ready.disconnect(take)


@pytest.fixture
def volume() -> ArraySource:
    """A CT-like volume: a ball of soft tissue in air, thick slices."""
    z, y, x = np.mgrid[:12, :32, :40]
    ball = ((z - 6) * 2) ** 2 + (y - 16) ** 2 + (x - 20) ** 2 < 100
    return ArraySource(
        np.where(ball, 40, -1000).astype(np.int16), "volume", spacing=(2.5, 1.0, 1.0), path="ball.nii.gz"
    )


@pytest.fixture
def photo() -> ArraySource:
    """A colour picture with a dark disc."""
    y, x = np.mgrid[:48, :64]
    disc = (y - 24) ** 2 + (x - 32) ** 2 < 200
    return ArraySource(
        np.where(disc[..., None], [120, 40, 90], [240, 238, 242]).astype(np.uint8), "photo", path="disc.png"
    )


@pytest.fixture(scope="session")
def slide_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample slide: project folders are made beside it."""
    from napari_medpatch.samples import sample_path

    return Path(shutil.copy(sample_path("slide"), tmp_path_factory.mktemp("slide") / "phantom.tiff"))


@pytest.fixture
def classifier(_private_home: None) -> Any:
    """A tiny untrained patch classifier among the user's models."""
    keep_triton_out()  # torch is imported here, in a process that may have drawn a window
    import torch

    from napari_medpatch.models.bundle import save_bundle
    from napari_medpatch.models.card import ModelCard
    from napari_medpatch.models.network import build_network
    from napari_medpatch.models.registry import user_models_folder

    steps = (
        {"name": "Resize", "arguments": {"size": 64}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.5] * 3, "std": [0.5] * 3}},
    )
    card = ModelCard(
        "tiny-patches",
        "patch-classifier",
        "test_efficientnet",
        ("other", "tumour"),
        patch_size_pixels=128,
        spacing_um_px=0.5,
        transform=steps,
        licence="BSD-3-Clause",
    )
    torch.manual_seed(0)
    return save_bundle(user_models_folder() / card.name, card, build_network(card))


@pytest.fixture
def unet(_private_home: None) -> Any:
    """A tiny untrained 3D U-Net among the user's models."""
    keep_triton_out()
    import torch

    from napari_medpatch.models.bundle import save_bundle
    from napari_medpatch.models.card import ModelCard
    from napari_medpatch.models.network import build_network
    from napari_medpatch.models.registry import user_models_folder

    card = ModelCard(
        "tiny-unet",
        "segment-3d",
        "unet",
        ("background", "ball"),
        spacing=(2.5, 1.0, 1.0),
        spacing_unit="mm",
        in_channels=1,
        intensity={"kind": "hu_window", "low": -1000, "high": 400},
        network={"levels": 2, "channels": 4, "convs": 1, "norm": "batch"},
        licence="BSD-3-Clause",
    )
    torch.manual_seed(1)
    return save_bundle(user_models_folder() / card.name, card, build_network(card))
