import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from fake_hub import CARD
from PIL import Image
from safetensors.torch import save_file
from wsinfer_rules import check_config, run_as_qupath, run_as_wsinfer

from napari_medpatch.errors import BundleError, OutputError
from napari_medpatch.models.bundle import Bundle, load_bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network
from napari_medpatch.models.preprocess import reference_transform
from napari_medpatch.models.registry import resolve_model
from napari_medpatch.models.wsinfer_export import export_bundle, exported_class_names

NOISE = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3))
PATCHES = (NOISE * np.linspace(0.1, 1, 5)[:, None, None, None]).astype(np.uint8)


def saved(folder: Path, card: ModelCard = CARD, **options: bool) -> Bundle:
    torch.manual_seed(0)
    network = build_network(card)
    # Fresh heads answer the same to everything; these tell patches apart.
    head = getattr(network, "head", None) or network.classifier
    torch.nn.init.normal_(head.weight, std=0.3)
    return save_bundle(folder, card, network, **options)


def exact(bundle: Bundle, patches: np.ndarray = PATCHES) -> torch.Tensor:
    """What our path with PIL gives: the network's outputs."""
    batch = torch.stack([reference_transform(Image.fromarray(patch), bundle.card) for patch in patches])
    with torch.inference_mode():
        return bundle.load()(batch)


@pytest.mark.parametrize("options", [{}, {"half": True}, {"torchscript": True}])
def test_wsinfer_gets_the_same_probabilities(tmp_path: Path, options: dict[str, bool]) -> None:
    bundle = saved(tmp_path / "ours", **options)
    exported = export_bundle(bundle, tmp_path / "for-qupath")
    expected = exact(bundle).softmax(1).numpy()
    assert np.ptp(expected[:, 1]) > 0.05
    np.testing.assert_allclose(run_as_wsinfer(exported.path, PATCHES), expected, atol=1e-5)
    back = load_bundle(exported.path)
    np.testing.assert_allclose(exact(back).softmax(1), expected, atol=1e-5)
    assert back.card == exported.card
    assert (back.card.name, back.card.class_names) == ("for-qupath", CARD.class_names)


@pytest.mark.parametrize("name", ["Tumor", "other"])
def test_one_logit_becomes_two_classes(tmp_path: Path, name: str) -> None:
    bundle = saved(tmp_path / "one", replace(CARD, class_names=(name,)))
    exported = export_bundle(bundle, tmp_path / "two")
    names = exported_class_names((name,))
    assert len(set(names)) == 2
    assert names[1] == name
    assert exported.card.class_names == names
    for probabilities in (run_as_wsinfer(exported.path, PATCHES), run_as_qupath(exported.path, PATCHES)):
        np.testing.assert_allclose(probabilities[:, 1], exact(bundle).sigmoid()[:, 0], atol=1e-5)
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    assert "its complement is a class of its own" in (exported.path / "README.md").read_text()


def test_a_multiple_instance_model_is_exported_as_its_patch_classifier(tmp_path: Path) -> None:
    bundle = saved(tmp_path / "mil", replace(CARD, task="slide-mil", network={"attention": 8}))
    exported = export_bundle(bundle, tmp_path / "patches")
    outputs = exact(bundle)
    assert outputs.shape == (5, 3)
    np.testing.assert_allclose(run_as_wsinfer(exported.path, PATCHES), outputs[:, :2].softmax(1), atol=1e-5)
    assert exported.card.task == "patch-classifier"
    assert "the attention" in (exported.path / "README.md").read_text()


def test_a_multiple_instance_bundle_may_carry_torchscript_itself(tmp_path: Path) -> None:
    bundle = saved(tmp_path / "mil", replace(CARD, task="slide-mil"), torchscript=True)
    np.testing.assert_allclose(run_as_wsinfer(bundle.path, PATCHES), exact(bundle)[:, :2].softmax(1), atol=1e-5)
    assert exact(load_bundle(bundle.path)).shape == (5, 3)


def test_a_zoo_bundle_goes_through_unchanged(tmp_path: Path, breast_files: dict[str, bytes]) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    for name, content in breast_files.items():
        (folder / name).write_bytes(content)
    exported = export_bundle(load_bundle(folder), tmp_path / "again")
    np.testing.assert_array_equal(run_as_wsinfer(exported.path, PATCHES), run_as_wsinfer(folder, PATCHES))
    assert (exported.path / "README.md").read_text().startswith("---\nlicense: bsd-3-clause")


def test_a_zoo_bundle_with_one_logit_gets_its_complement(tmp_path: Path) -> None:
    ours = saved(tmp_path / "one", replace(CARD, class_names=("Tumor",)), torchscript=True)
    config = json.loads((ours.path / "config.json").read_text())
    del config["medpatch"]
    (ours.path / "config.json").write_text(json.dumps(config))
    (ours.path / "model.safetensors").unlink()
    zoo = load_bundle(ours.path)
    exported = export_bundle(zoo, tmp_path / "two")
    np.testing.assert_allclose(run_as_qupath(exported.path, PATCHES)[:, 1], exact(zoo).sigmoid()[:, 0], atol=1e-5)
    assert (run_as_qupath(zoo.path, PATCHES) == 1).all()


def test_a_timm_network_with_half_weights(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = build_network(replace(CARD, class_names=("a", "b", "c"))).eval()
    save_file({k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}, tmp_path / "w.st")
    bundle = resolve_model("timm:mobilenetv2_050", weights=tmp_path / "w.st", spacing_um_px=0.5, patch_size_pixels=40)
    exported = export_bundle(bundle, tmp_path / "out")
    np.testing.assert_allclose(run_as_wsinfer(exported.path, PATCHES), exact(bundle).softmax(1), atol=1e-5)
    model = torch.jit.load(str(exported.path / "torchscript_model.pt"))
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_timms_own_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    create, asked = timm.create_model, []

    def fetched(name: str, *, pretrained: bool, **options: object) -> torch.nn.Module:
        asked.append(pretrained)
        torch.manual_seed(7)
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", fetched)
    bundle = resolve_model(
        "timm:mobilenetv2_035", pretrained=True, class_names=["a", "b"], spacing_um_px=0.5, patch_size_pixels=40
    )
    exported = export_bundle(bundle, tmp_path / "out")
    assert asked == [True]
    np.testing.assert_allclose(run_as_wsinfer(exported.path, PATCHES), exact(bundle).softmax(1), atol=1e-5)


def test_the_config_follows_the_zoos_schema(tmp_path: Path) -> None:
    steps = (
        {"name": "Resize", "arguments": {"size": [32, 32], "interpolation": "bilinear", "antialias": True}},
        {"name": "Normalize", "arguments": {"mean": [0.5] * 3, "std": [0.2] * 3, "inplace": False}},
    )
    bundle = saved(tmp_path / "ours", replace(CARD, transform=steps, patch_size_pixels=40.0, licence="MIT"))
    exported = export_bundle(bundle, tmp_path / "out")
    config = json.loads((exported.path / "config.json").read_text())
    check_config(config)
    assert config["transform"] == [
        {"name": "Resize", "arguments": {"size": [32, 32]}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.5] * 3, "std": [0.2] * 3}},
    ]
    assert config["medpatch"]["licence"] == "MIT"
    assert config["medpatch"]["origin"]["exported_from"] == "ours"
    assert config["medpatch"]["origin"]["weights_sha256"] == bundle.card.weights_sha256
    np.testing.assert_allclose(run_as_wsinfer(exported.path, PATCHES), exact(bundle).softmax(1), atol=1e-5)


def test_our_own_config_follows_the_schema_too(tmp_path: Path) -> None:
    config = json.loads((saved(tmp_path / "ours").path / "config.json").read_text())
    check_config(config)
    with pytest.raises(jsonschema.ValidationError):
        check_config(config | {"spec_version": "2.0"})
    with pytest.raises(ValueError, match="as many names"):
        check_config(config | {"num_classes": 3})


@pytest.mark.parametrize("architecture", ["resnet18", "efficientnet_b0", "vit_tiny_patch16_224", "convnext_atto"])
def test_common_architectures_can_be_exported(tmp_path: Path, architecture: str) -> None:
    edge = 224 if architecture.startswith("vit") else 64
    steps = ({"name": "Resize", "arguments": {"size": edge}}, {"name": "ToTensor"})
    card = replace(CARD, architecture=architecture, transform=steps)
    bundle = save_bundle(tmp_path / "ours", card, build_network(card))
    exported = export_bundle(bundle, tmp_path / "out")
    np.testing.assert_allclose(run_as_wsinfer(exported.path, PATCHES), exact(bundle).softmax(1), atol=1e-5)


class BakesTheBatch(torch.nn.Module):
    """Its trace keeps the batch size of the example."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count = int(x.shape[0])
        return x.mean((2, 3))[:, :2] * count


class Fails(torch.nn.Module):
    """torch cannot trace it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise TypeError("no such luck\nmore")


class Loaded:
    """A bundle with any network."""

    path, weights, card = Path("any"), None, replace(CARD, name="any")

    def __init__(self, network: torch.nn.Module) -> None:
        self.network = network

    def load(self, device: str) -> torch.nn.Module:
        return self.network.eval()


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (BakesTheBatch(), r"any cannot be exported: .* for 2 patches at once"),
        (Fails(), r"TorchScript \(no such luck\)"),
    ],
)
def test_nothing_is_left_of_an_export_that_would_be_wrong(tmp_path: Path, network: torch.nn.Module, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        export_bundle(Loaded(network), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (ModelCard("seg", "segment-2d", "unet", ("background", "x")), "segment-2d model; WSInfer and QuPath run patch"),
        (replace(CARD, spacing_um_px=None), "pixel size it looks.*--spacing"),
        (replace(CARD, in_channels=1), "takes 1 channels"),
    ],
)
def test_what_those_programs_cannot_run_is_refused(tmp_path: Path, card: ModelCard, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        export_bundle(Bundle(tmp_path / "x", card), tmp_path / "out")


def test_a_bundle_is_not_replaced_by_its_own_export(tmp_path: Path) -> None:
    bundle = saved(tmp_path / "ours")
    with pytest.raises(BundleError, match="is the folder of ours itself"):
        export_bundle(bundle, tmp_path / "ours")
    assert load_bundle(tmp_path / "ours").card.weights_sha256 is not None


def test_only_a_model_is_replaced(tmp_path: Path) -> None:
    bundle = saved(tmp_path / "ours")
    export_bundle(bundle, tmp_path / "out")
    assert export_bundle(bundle, tmp_path / "out").card.name == "out"
    (tmp_path / "out" / "thesis.docx").write_text("years of work")
    with pytest.raises(BundleError, match="holds other files than a model's"):
        export_bundle(bundle, tmp_path / "out")
    assert (tmp_path / "out" / "thesis.docx").read_text() == "years of work"


def test_a_file_in_the_way_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        export_bundle(saved(tmp_path / "ours"), tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "mine"
