import json
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_medpatch.errors import BundleError
from napari_medpatch.models.bundle import load_bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network

CARD = ModelCard(
    "tissue",
    "patch-classifier",
    "mobilenetv2_050",
    ("Other", "Tumor"),
    patch_size_pixels=40,
    spacing_um_px=0.5,
    transform=(
        {"name": "Resize", "arguments": {"size": 32}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.5] * 3, "std": [0.5] * 3}},
    ),
)
WSINFER_KEYS = (
    "spec_version", "architecture", "num_classes", "class_names", "patch_size_pixels", "spacing_um_px", "transform",
)  # fmt: skip


@pytest.fixture
def zoo_bundle(tmp_path: Path) -> Path:
    """A folder as the WSInfer zoo lays it out: no safetensors, no key of ours."""
    torch.manual_seed(0)
    ours = save_bundle(tmp_path / "ours", CARD, build_network(CARD), torchscript=True)
    config = json.loads((ours.path / "config.json").read_text())
    zoo = tmp_path / "zoo-model"
    zoo.mkdir()
    (zoo / "config.json").write_text(json.dumps({key: config[key] for key in WSINFER_KEYS}))
    (zoo / "torchscript_model.pt").write_bytes((ours.path / "torchscript_model.pt").read_bytes())
    return zoo


def test_a_zoo_bundle_gives_what_our_weights_give(zoo_bundle: Path, tmp_path: Path) -> None:
    zoo = load_bundle(zoo_bundle)
    batch = torch.rand(5, 3, 32, 32)
    assert zoo.card.class_names == ("Other", "Tumor")
    assert zoo.card.task == "patch-classifier"
    ours = load_bundle(tmp_path / "ours").load()
    np.testing.assert_allclose(zoo.load()(batch), ours(batch), atol=1e-5)


def test_zoo_bundles_need_neither_version_nor_architecture(zoo_bundle: Path) -> None:
    config = json.loads((zoo_bundle / "config.json").read_text())
    del config["spec_version"], config["architecture"]
    (zoo_bundle / "config.json").write_text(json.dumps(config))
    assert load_bundle(zoo_bundle).load()(torch.rand(1, 3, 32, 32)).shape == (1, 2)


def test_a_zoo_bundle_with_both_files_runs_its_torchscript(zoo_bundle: Path) -> None:
    (zoo_bundle / "model.safetensors").write_bytes(b"of some other library")
    assert load_bundle(zoo_bundle).load()(torch.rand(1, 3, 32, 32)).shape == (1, 2)


def test_a_damaged_torchscript_is_one_sentence(zoo_bundle: Path) -> None:
    path = zoo_bundle / "torchscript_model.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BundleError, match="not a readable TorchScript file"):
        load_bundle(zoo_bundle).load()


def test_a_pickle_is_not_opened(zoo_bundle: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, zoo_bundle / "torchscript_model.pt")
    with pytest.raises(BundleError, match="not a readable TorchScript file"):
        load_bundle(zoo_bundle).load()
