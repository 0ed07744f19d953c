import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_medpatch.errors import BundleError, OutputError
from napari_medpatch.models.bundle import Bundle, load_bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network, unet_config

CARD = ModelCard(
    "any",
    "segment-3d",
    "unet",
    ("background", "lung"),
    spacing=(3.0, 3.0, 3.0),
    spacing_unit="mm",
    in_channels=1,
    intensity={"kind": "hu_window", "low": -1000, "high": 400},
    network={"levels": 2, "channels": 4},
    metrics={"iou": 0.9},
    licence="BSD-3-Clause",
)


def trained() -> torch.nn.Module:
    """A network whose BatchNorm buffers differ from a new one's."""
    torch.manual_seed(1)
    model = build_network(CARD).train()
    with torch.no_grad():
        model(torch.rand(2, 1, 8, 8, 8) * 9)
    return model


@pytest.fixture
def saved(tmp_path: Path) -> Bundle:
    return save_bundle(tmp_path / "lungs", CARD, trained())


def test_what_is_saved_is_loaded_with_its_buffers(saved: Bundle) -> None:
    model = load_bundle(saved.path).load()
    expected = trained().state_dict()
    found = model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_the_card_survives_and_is_named_after_the_folder(saved: Bundle) -> None:
    card = load_bundle(saved.path).card
    assert card == saved.card
    assert card.name == "lungs"
    assert replace(card, name="any", weights_sha256=None) == CARD


def test_half_weights_come_back_as_float32(tmp_path: Path) -> None:
    whole = save_bundle(tmp_path / "whole", CARD, trained())
    half = save_bundle(tmp_path / "half", CARD, trained(), half=True)
    state = half.load().state_dict()
    exact = trained().state_dict()
    assert half.path.joinpath("model.safetensors").stat().st_size < 0.7 * (
        whole.path.joinpath("model.safetensors").stat().st_size
    )
    assert {t.dtype for t in state.values() if t.is_floating_point()} == {torch.float32}
    variances = [key for key in exact if key.endswith("running_var")]
    assert variances
    assert all(torch.equal(state[key], exact[key]) for key in variances)
    assert all(torch.allclose(state[key].float(), exact[key].float(), atol=2e-3) for key in exact)


def test_half_keeps_values_that_float16_cannot_hold(tmp_path: Path) -> None:
    model = trained()
    with torch.no_grad():
        model.head.bias.fill_(1e6)
    assert save_bundle(tmp_path / "big", CARD, model, half=True).load().head.bias[0] == 1e6


def test_readme_is_written_from_the_card_or_taken(tmp_path: Path, saved: Bundle) -> None:
    text = (saved.path / "README.md").read_text()
    assert "lung" in text
    assert "| iou | 0.9 |" in text
    assert "BSD-3-Clause" in text
    own = save_bundle(tmp_path / "own", CARD, trained(), readme="# mine\n")
    assert (own.path / "README.md").read_text() == "# mine\n"


def test_saving_again_replaces_the_model(saved: Bundle) -> None:
    (saved.path / "torchscript_model.pt").write_text("old")
    (saved.path / ".DS_Store").write_text("")
    again = save_bundle(saved.path, replace(CARD, licence="CC0"), trained())
    assert load_bundle(again.path).card.licence == "CC0"
    assert sorted(os.listdir(saved.path)) == ["README.md", "config.json", "model.safetensors"]
    assert os.listdir(saved.path.parent) == ["lungs"]


def test_saving_never_replaces_what_is_no_model(saved: Bundle) -> None:
    (saved.path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="holds other files than a model's"):
        save_bundle(saved.path, CARD, trained())
    assert (saved.path / "notes.txt").read_text() == "mine"
    with pytest.raises(OutputError, match="in the way"):
        save_bundle(saved.path / "notes.txt", CARD, trained())
    assert load_bundle(saved.path).card.licence == CARD.licence


def test_altered_weights_are_refused(saved: Bundle) -> None:
    weights = saved.path / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(BundleError, match="altered or damaged"):
        load_bundle(saved.path).load()


def test_missing_weights_are_refused_when_opened_and_when_loaded(saved: Bundle) -> None:
    (saved.path / "model.safetensors").unlink()
    with pytest.raises(BundleError, match=r"no model\.safetensors"):
        load_bundle(saved.path)
    with pytest.raises(BundleError, match="missing"):
        saved.load()


def test_our_torchscript_never_replaces_missing_weights(tmp_path: Path) -> None:
    bundle = save_bundle(tmp_path / "both", CARD, trained(), torchscript=True)
    assert (bundle.path / "torchscript_model.pt").is_file()
    (bundle.path / "model.safetensors").unlink()
    with pytest.raises(BundleError, match=r"no model\.safetensors"):
        load_bundle(bundle.path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"class_names": ["background", "lung", "heart"], "num_classes": 3}, "head.weight has shape"),
        ({"num_classes": 3}, "num_classes 3 but names"),
        ({"spec_version": "2.0"}, "format version '2.0'"),
        ({"architecture": "transformer"}, "'transformer'"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(saved: Bundle, change: dict[str, object], sentence: str) -> None:
    config = json.loads((saved.path / "config.json").read_text()) | change
    (saved.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match=sentence):
        load_bundle(saved.path).load()


def test_a_network_that_contradicts_its_card_is_refused(saved: Bundle) -> None:
    config = json.loads((saved.path / "config.json").read_text())
    config["medpatch"]["network"]["levels"] = 3
    (saved.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match="is missing"):
        load_bundle(saved.path).load()
    config["medpatch"]["network"] = {"num_classes": 5}
    (saved.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match="num_classes 5 but says 2"):
        load_bundle(saved.path).load()


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_broken_config_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match=r"config\.json"):
        load_bundle(tmp_path)


def test_a_folder_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a model bundle"):
        load_bundle(tmp_path)


def test_a_network_other_than_the_card_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not the one its card describes"):
        save_bundle(tmp_path / "wrong", replace(CARD, class_names=("background", "a", "b")), trained())
    assert not (tmp_path / "wrong").exists()


def test_a_disk_that_fills_up_leaves_the_old_bundle(saved: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = saved.load().state_dict()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="disk is full"):
        save_bundle(saved.path, CARD, build_network(CARD))
    monkeypatch.undo()
    after = load_bundle(saved.path).load().state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert os.listdir(saved.path.parent) == ["lungs"]


def test_the_card_gives_the_unet_its_halo() -> None:
    assert unet_config(replace(CARD, network={})).halo == 24
