import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_medpatch.cli import main
from napari_medpatch.models.bundle import save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.classifiers import build_classifier
from napari_medpatch.models.network import build_network

CARD = ModelCard(
    "x",
    "patch-classifier",
    "mobilenetv2_035",
    ("Other", "Tumor"),
    patch_size_pixels=32,
    spacing_um_px=0.5,
    transform=({"name": "ToTensor"},),
)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDPATCH_DATA", str(tmp_path))
    return save_bundle(tmp_path / "models" / "mine", CARD, build_network(CARD)).path


def test_a_folder_or_a_name_is_exported(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, model in enumerate((str(bundle), "mine")):
        out = tmp_path / f"out{number}"
        assert main(["export", model, "-o", str(out)]) == 0
        assert capsys.readouterr().out == f"wrote {out}\n"
        assert {path.name for path in out.iterdir()} == {"config.json", "torchscript_model.pt", "README.md"}


def test_a_timm_network_is_exported_with_what_the_command_says(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    save_file(build_classifier("mobilenetv2_035", 2).state_dict(), weights)
    command = ["export", "timm:mobilenetv2_035", "-o", str(tmp_path / "out"), "--weights", str(weights)]
    assert main([*command, "--class-names", "Other,Tumor", "--spacing", "0.5", "--patch-size", "64"]) == 0
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["class_names"], config["spacing_um_px"]) == (["Other", "Tumor"], 0.5)
    assert config["patch_size_pixels"] == 64
    model = torch.jit.load(str(tmp_path / "out" / "torchscript_model.pt"))
    assert model(torch.rand(3, 3, 224, 224)).shape == (3, 2)


def test_without_a_pixel_size_the_sentence_says_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "w.safetensors"
    save_file(build_classifier("mobilenetv2_035", 2).state_dict(), weights)
    assert main(["export", "timm:mobilenetv2_035", "-o", str(tmp_path / "out"), "--weights", str(weights)]) == 2
    assert "give --spacing, in µm per pixel" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_of_the_zoo_that_is_not_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "zoo:breast-tumor-resnet34.tcga-brca", "-o", str(tmp_path / "out")]) == 2
    assert "was not downloaded yet" in capsys.readouterr().err


def test_a_file_that_is_missing_is_still_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path / "slide.svs"), "-o", str(tmp_path / "out.png")]) == 2
    assert "slide.svs" in capsys.readouterr().err
