"""Bundles of the zoo's format on a slide: our exact path against a loader written from WSInfer's documents."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import torch
from wsinfer_rules import run_as_wsinfer

from napari_medpatch.cli import main
from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.io.detect import open_source
from napari_medpatch.models.bundle import load_bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network
from napari_medpatch.models.preprocess import reference_transform
from napari_medpatch.models.wsinfer_export import export_bundle
from napari_medpatch.samples import sample_path

# Patches that are neither the network's input nor the slide's pixel size.
CARD = ModelCard(
    "zoo",
    "patch-classifier",
    "mobilenetv2_035",
    ("Other", "Tumor"),
    patch_size_pixels=80,
    spacing_um_px=1.0,
    transform=(
        {"name": "Resize", "arguments": {"size": 64}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.7, 0.6, 0.7], "std": [0.2] * 3}},
    ),
)
OURS = ("medpatch",)
LATER = ("medpatch", "spec_version", "architecture")
ZOO_SIZES: dict[str, Any] = {"number": 64, "pair": [64, 64]}


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(sample_path("slide"), tmp_path_factory.mktemp("slide") / "phantom.tiff"))


def classifier(folder: Path, card: ModelCard = CARD) -> Path:
    torch.manual_seed(0)
    network = build_network(card).eval()
    with torch.no_grad():
        # A fresh network is either undecided or certain about everything; centre and spread its answers.
        torch.nn.init.normal_(network.classifier.weight, std=0.15)
        network.classifier.bias -= network(torch.zeros(1, 3, 64, 64))[0]
    return save_bundle(folder, card, network, torchscript=True).path


def as_published(folder: Path, without: tuple[str, ...], **changes: Any) -> Path:
    """Turn a bundle of ours into one of the zoo."""
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({key: config[key] for key in config if key not in without}))
    (folder / "model.safetensors").write_bytes(b"weights that nobody reads")
    return folder


def on_slide(folder: Path, slide: Path, out: Path) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and probabilities of our exact path, from the CSV."""
    with open_source(slide) as source:
        run(classify(source, load_bundle(folder), ClassifySettings(device="cpu", exact=True), out=out))
    with (out / "phantom.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    boxes = np.array([[int(row[key]) for key in ("minx", "miny", "width", "height")] for row in rows])
    names = [key for key in rows[0] if key.startswith("prob_")]
    return boxes, np.array([[float(row[name]) for name in names] for row in rows])


def as_wsinfer(folder: Path, slide: Path, boxes: np.ndarray) -> np.ndarray:
    """Level 0, one read per patch, PIL: WSInfer's way."""
    with openslide.OpenSlide(slide) as opened:
        patches = [opened.read_region((x, y), 0, (w, h)).convert("RGB") for x, y, w, h in boxes.tolist()]
    return run_as_wsinfer(folder, np.stack([np.asarray(patch) for patch in patches]))


@pytest.mark.parametrize("size", ZOO_SIZES)
def test_a_zoo_bundle_gives_wsinfers_numbers(slide: Path, tmp_path: Path, size: str) -> None:
    steps = ({"name": "Resize", "arguments": {"size": ZOO_SIZES[size]}}, *CARD.transform[1:])
    folder = as_published(classifier(tmp_path / "zoo", replace(CARD, transform=steps)), OURS)
    boxes, ours = on_slide(folder, slide, tmp_path / "out")
    some = np.linspace(0, len(boxes) - 1, 12).astype(int)
    theirs = as_wsinfer(folder, slide, boxes[some])
    assert np.ptp(theirs[:, 1]) > 0.02
    np.testing.assert_allclose(ours[some], theirs, atol=2e-5)


def test_one_logit_is_a_probability_of_its_own(slide: Path, tmp_path: Path) -> None:
    folder = as_published(classifier(tmp_path / "one", replace(CARD, class_names=("Tumor",))), OURS)
    boxes, ours = on_slide(folder, slide, tmp_path / "out")
    assert ours.shape == (len(boxes), 1)
    assert np.ptp(ours) > 0.02
    np.testing.assert_allclose(ours[:6], as_wsinfer(folder, slide, boxes[:6]), atol=2e-5)


def test_bundles_from_before_the_version_key(slide: Path, tmp_path: Path) -> None:
    newer = as_published(classifier(tmp_path / "newer"), OURS)
    older = as_published(classifier(tmp_path / "older"), LATER)
    expected = on_slide(newer, slide, tmp_path / "out-newer")
    for ours, theirs in zip(on_slide(older, slide, tmp_path / "out-older"), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_shipped_classifier_comes_back_the_same(slide: Path, tmp_path: Path) -> None:
    assert main(["export", "tissue-patches-demo", "-o", str(tmp_path / "exported")]) == 0
    from napari_medpatch.models.registry import resolve_model

    original = resolve_model("tissue-patches-demo")
    boxes, before = on_slide(original.path, slide, tmp_path / "before")
    same_boxes, after = on_slide(tmp_path / "exported", slide, tmp_path / "after")
    np.testing.assert_array_equal(same_boxes, boxes)
    np.testing.assert_allclose(after, before, atol=2e-5)
    some = np.linspace(0, len(boxes) - 1, 8).astype(int)
    np.testing.assert_allclose(as_wsinfer(tmp_path / "exported", slide, boxes[some]), before[some], atol=2e-5)


def test_the_slides_score_is_what_the_attention_network_says(slide: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    card = replace(CARD, task="slide-mil", network={"attention": 8})
    network = build_network(card).eval()
    with torch.no_grad():
        network.weigh.weight.mul_(50)
        network.head.weight.mul_(3)
    folder = save_bundle(tmp_path / "mil", card, network).path
    boxes, _ = on_slide(folder, slide, tmp_path / "out")
    with openslide.OpenSlide(slide) as opened:
        patches = [opened.read_region((x, y), 0, (w, h)).convert("RGB") for x, y, w, h in boxes.tolist()]
    with torch.inference_mode():
        bag = network.bag(torch.stack([reference_transform(patch, card) for patch in patches])).softmax(0)
    score = json.loads((tmp_path / "out" / "phantom.json").read_text())["score"]["attention"]
    assert list(score) == ["Other", "Tumor"]
    np.testing.assert_allclose(list(score.values()), bag, atol=2e-5)
    assert abs(float(bag[0]) - 0.5) > 0.02


def test_the_run_record_says_where_an_exported_model_came_from(slide: Path, tmp_path: Path) -> None:
    exported = export_bundle(load_bundle(classifier(tmp_path / "mine")), tmp_path / "exported")
    on_slide(exported.path, slide, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "phantom.json").read_text())
    assert record["model"]["origin"]["exported_from"] == "mine"
