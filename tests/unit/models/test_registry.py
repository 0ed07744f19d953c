import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_medpatch.errors import BundleError
from napari_medpatch.models import registry
from napari_medpatch.models.bundle import save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.classifiers import build_classifier
from napari_medpatch.models.network import build_network

CARD = ModelCard("x", "segment-2d", "unet", ("background", "vessel"), network={"levels": 1, "channels": 2})


def put(folder: Path) -> Path:
    return save_bundle(folder, CARD, build_network(CARD)).path


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "shipped")
    put(tmp_path / "shipped" / "vessels")
    return tmp_path / "shipped"


def test_importing_the_registry_does_not_import_torch() -> None:
    code = "import sys, napari_medpatch.models.registry as r; r.list_models(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_shipped_and_user_models_are_listed_by_name(shipped: Path) -> None:
    put(registry.user_models_folder() / "my-model")
    assert [bundle.card.name for bundle in registry.list_models()] == ["my-model", "vessels"]


def test_a_users_model_hides_a_shipped_one(shipped: Path) -> None:
    own = put(registry.user_models_folder() / "vessels")
    assert [bundle.path for bundle in registry.list_models()] == [own]
    assert registry.resolve_model("vessels").path == own


def test_broken_and_unfinished_models_are_skipped(shipped: Path, caplog: pytest.LogCaptureFixture) -> None:
    (put(shipped / "broken") / "model.safetensors").unlink()
    put(shipped / "whole").rename(shipped / ".tmp-whole")
    with caplog.at_level(logging.WARNING):
        names = [bundle.card.name for bundle in registry.list_models()]
    assert names == ["vessels"]
    assert "broken" in caplog.text


def test_the_users_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDPATCH_DATA", str(tmp_path))
    assert registry.user_models_folder() == tmp_path / "models"
    monkeypatch.delenv("MEDPATCH_DATA")
    assert registry.user_models_folder().parent.name == "napari-medpatch"


def test_a_name_or_a_folder_resolves(shipped: Path, tmp_path: Path) -> None:
    elsewhere = put(tmp_path / "elsewhere")
    assert registry.resolve_model("vessels").path == shipped / "vessels"
    assert registry.resolve_model(elsewhere).card.name == "elsewhere"
    assert registry.resolve_model(str(elsewhere)).path == elsewhere


def test_a_broken_model_is_named_as_broken_not_as_unknown(shipped: Path) -> None:
    (shipped / "vessels" / "model.safetensors").unlink()
    with pytest.raises(BundleError, match=r"no model\.safetensors"):
        registry.resolve_model("vessels")


def test_an_unknown_name_lists_the_known(shipped: Path) -> None:
    with pytest.raises(BundleError, match="no model 'nothing'; known are vessels"):
        registry.resolve_model("nothing")


def test_options_that_a_bundle_would_ignore_are_refused(shipped: Path) -> None:
    with pytest.raises(BundleError, match="class_names can only be given with timm"):
        registry.resolve_model("vessels", class_names=["a", "b"])
    with pytest.raises(BundleError, match="patch_size_pixels and spacing_um_px can only be given with timm"):
        registry.resolve_model("vessels", patch_size_pixels=32, spacing_um_px=0.5)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    model = build_classifier("mobilenetv2_050", 3)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_timm_weights_say_how_many_classes_there_are(weights: Path) -> None:
    bundle = registry.resolve_model("timm:mobilenetv2_050", weights=weights, spacing_um_px=0.5)
    assert bundle.card.class_names == ("class 0", "class 1", "class 2")
    assert bundle.card.patch_size_pixels == 224
    assert bundle.card.spacing_um_px == 0.5
    assert bundle.load()(torch.rand(2, 3, 64, 64)).shape == (2, 3)


def test_timm_class_names_must_fit(weights: Path) -> None:
    named = registry.resolve_model("timm:mobilenetv2_050", weights=weights, class_names=["a", "b", "c"])
    assert named.card.class_names == ("a", "b", "c")
    with pytest.raises(BundleError, match="3 outputs but 2 class names"):
        registry.resolve_model("timm:mobilenetv2_050", weights=weights, class_names=["a", "b"])


def test_timm_refuses_what_it_cannot_load(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no weights"):
        registry.resolve_model("timm:resnet18")
    with pytest.raises(BundleError, match="does not exist"):
        registry.resolve_model("timm:resnet18", weights=tmp_path / "none.safetensors")
    with pytest.raises(BundleError, match="does not hold resnet18"):
        registry.resolve_model("timm:resnet18", weights=weights)
    (tmp_path / "text.safetensors").write_text("no weights in here")
    with pytest.raises(BundleError, match="not a readable safetensors"):
        registry.resolve_model("timm:resnet18", weights=tmp_path / "text.safetensors")
    with pytest.raises(BundleError, match="did you mean"):
        registry.resolve_model("timm:resnett18", weights=weights)
