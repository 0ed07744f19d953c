"""Patch classifiers on a GPU: scores, their variants, and what explains them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_classifiers import EDGE, classifier, everywhere

from napari_medpatch.events import PatchesScored, run
from napari_medpatch.geometry import Box
from napari_medpatch.infer.classify import ClassifyResult, ClassifySettings, classify
from napari_medpatch.infer.explain import ExplainSettings, explain
from napari_medpatch.infer.feed import Batch
from napari_medpatch.infer.grad_cam import GradCam
from napari_medpatch.infer.patch_scorer import PatchScorer
from napari_medpatch.infer.precision import native_bfloat16
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import Bundle, load_bundle
from napari_medpatch.models.torchscript import TORCHSCRIPT_NAME, save_torchscript

FLOAT32 = {"precision": "float32"}


def classified(source: ArraySource, bundle: Bundle, device: str, out: Any = None, **settings: Any) -> ClassifyResult:
    job = classify(
        source, bundle, ClassifySettings(device=device, **settings), out=out, tissue=everywhere(source)
    )  # fmt: skip
    result: ClassifyResult = run(job)
    assert np.isfinite(result.probabilities).all()
    return result


def difference(one: ClassifyResult, other: ClassifyResult) -> float:
    return float(np.abs(one.probabilities - other.probabilities).max())


@pytest.mark.parametrize("architecture", ["resnet18", "convnext_atto", "mobilenetv2_050"])
def test_float32_scores_are_those_of_the_processor(
    tmp_path: Path, device: str, slide: ArraySource, architecture: str, measured: Callable[[str], None]
) -> None:
    bundle = classifier(tmp_path / "net", architecture)
    here, there = (classified(slide, bundle, name, **FLOAT32) for name in (device, "cpu"))
    worst = difference(here, there)
    measured(f"{architecture}, float32 against the processor: largest difference of probabilities {worst:.1e}")
    assert np.ptp(there.probabilities) > 0.2
    assert worst < 1e-3


def test_auto_computes_in_bfloat16_where_the_device_does(
    tmp_path: Path, device: str, slide: ArraySource, measured: Callable[[str], None]
) -> None:
    bundle = classifier(tmp_path / "net")
    auto, exact = classified(slide, bundle, device), classified(slide, bundle, device, **FLOAT32)
    worst, mean = difference(auto, exact), float(np.abs(auto.probabilities - exact.probabilities).mean())
    measured(f"resnet18, {auto.provenance['precision']} against float32: largest {worst:.1e}, mean {mean:.1e}")
    if device.startswith("cuda") and native_bfloat16(torch.device(device)):
        assert auto.provenance["precision"] == "bfloat16"
        assert worst > 0, "bfloat16 was not used"
    assert mean < 0.02


def test_the_exact_path_is_float32(tmp_path: Path, device: str, slide: ArraySource) -> None:
    bundle = classifier(tmp_path / "net")
    here, there = (classified(slide, bundle, name, exact=True) for name in (device, "cpu"))
    assert here.provenance["precision"] == "float32"
    assert difference(here, there) < 1e-3


def test_the_network_lies_on_the_device_folded_and_with_channels_last(tmp_path: Path, cuda: torch.device) -> None:
    bundle = classifier(tmp_path / "net", "convnext_atto")
    scorer = PatchScorer(bundle, device=str(cuda))
    weights = [p for p in scorer.lanes[0].model.parameters() if p.ndim == 4 and p.shape[1] > 1]
    assert {p.device.type for p in weights} == {"cuda"}
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
    folded = PatchScorer(classifier(tmp_path / "other"), device=str(cuda)).lanes[0].model
    assert isinstance(folded, torch.jit.ScriptModule)


def test_batches_are_page_locked(tmp_path: Path, cuda: torch.device) -> None:
    scorer = PatchScorer(classifier(tmp_path / "net"), device=str(cuda), batch_size=8)
    pixels = np.random.default_rng(0).integers(0, 256, (24, EDGE, EDGE, 3), np.uint8)
    feed = scorer.feed([np.arange(a, a + 6) for a in range(0, 24, 6)], lambda index: pixels[index])
    batches = list(feed)
    feed.close()
    assert [len(batch.index) for batch in batches] == [8, 8, 8]
    assert all(torch.from_numpy(batch.pixels).is_pinned() for batch in batches)
    found = np.concatenate([values for _, values in scorer.stream(batches)])
    plain = [Batch(np.arange(a, a + 8), pixels[a : a + 8]) for a in range(0, 24, 8)]
    np.testing.assert_allclose(np.concatenate([v for _, v in scorer.stream(plain)]), found, atol=1e-6)


@pytest.mark.parametrize("devices", ["cuda:all", "cuda:0,cuda:0", "cuda:0,cpu"])
def test_several_devices_share_the_patches(
    tmp_path: Path, cuda: torch.device, slide: ArraySource, devices: str
) -> None:
    bundle = classifier(tmp_path / "net")
    here = classified(slide, bundle, devices, batch_size=8, **FLOAT32)
    assert difference(here, classified(slide, bundle, "cpu", **FLOAT32)) < 1e-3


def test_random_views_are_those_of_the_processor(tmp_path: Path, device: str, slide: ArraySource) -> None:
    bundle = classifier(tmp_path / "net")
    here, there = (classified(slide, bundle, name, tta=3, seed=1, **FLOAT32) for name in (device, "cpu"))
    # Views are rounded to bytes, and a byte may fall to either side.
    assert difference(here, there) < 0.02
    assert (here.extras["uncertainty"] > 0).mean() > 0.9


def test_random_dropout_has_the_processors_masks_and_follows_the_seed(
    tmp_path: Path, device: str, slide: ArraySource
) -> None:
    bundle = classifier(tmp_path / "net", hidden=[16], dropout=0.3)
    first, again, other = (classified(slide, bundle, device, mc_dropout=3, seed=seed, **FLOAT32) for seed in (1, 1, 2))
    there = classified(slide, bundle, "cpu", mc_dropout=3, seed=1, **FLOAT32)
    assert difference(first, again) < 1e-6
    assert difference(first, there) < 1e-3
    assert difference(first, other) > 1e-2
    half = classified(slide, bundle, device, mc_dropout=3, seed=1, precision="bfloat16")
    assert float(np.abs(half.probabilities - first.probabilities).mean()) < 0.02


def test_random_dropout_of_torchscript_follows_the_seed(tmp_path: Path, device: str, slide: ArraySource) -> None:
    bundle = scripted(classifier(tmp_path / "net", hidden=[16], dropout=0.3), tmp_path)
    torch.rand(1, device=device)
    before = torch.cuda.get_rng_state() if device.startswith("cuda") else torch.get_rng_state()
    first, again, other = (classified(slide, bundle, device, mc_dropout=2, seed=seed, **FLOAT32) for seed in (1, 1, 2))
    after = torch.cuda.get_rng_state() if device.startswith("cuda") else torch.get_rng_state()
    assert torch.equal(before, after), "random numbers of the program itself must not change"
    assert difference(first, again) < 1e-6
    assert difference(first, other) > 1e-2


def scripted(bundle: Bundle, folder: Path) -> Bundle:
    """Return the same classifier as the zoo publishes it: TorchScript and a configuration."""
    (folder / "script").mkdir()
    card = replace(bundle.card, weights_sha256=None)
    (folder / "script" / "config.json").write_text(json.dumps(card.to_config()))
    save_torchscript(folder / "script", card, bundle.load())
    return load_bundle(folder / "script")


def test_the_zoos_torchscript_scores_the_same(tmp_path: Path, device: str, slide: ArraySource) -> None:
    bundle = classifier(tmp_path / "net")
    script = scripted(bundle, tmp_path)
    assert (script.path / TORCHSCRIPT_NAME).is_file()
    assert difference(classified(slide, script, device, **FLOAT32), classified(slide, bundle, "cpu", **FLOAT32)) < 1e-3


def test_attention_is_that_of_the_processor(tmp_path: Path, device: str, slide: ArraySource) -> None:
    bundle = classifier(tmp_path / "net", "mobilenetv2_050", "slide-mil", attention=8)
    here, there = (classified(slide, bundle, name, **FLOAT32) for name in (device, "cpu"))
    np.testing.assert_allclose(here.extras["attention"], there.extras["attention"], atol=1e-3)
    assert difference(here, there) < 1e-3
    assert here.score["attention"] == pytest.approx(there.score["attention"], abs=1e-3)


@pytest.mark.parametrize("architecture", ["resnet18", "test_vit"])
def test_grad_cam_is_that_of_the_processor(tmp_path: Path, device: str, architecture: str) -> None:
    options = {"img_size": EDGE} if "vit" in architecture else {}
    bundle = classifier(tmp_path / "net", architecture, **options)
    patches = np.random.default_rng(1).integers(0, 256, (5, EDGE, EDGE, 3), np.uint8)
    here, there = (GradCam(bundle, device=name).heat(patches, 1) for name in (device, "cpu"))
    assert here.layer == there.layer
    np.testing.assert_allclose(here.heat, there.heat, atol=1e-2)


def test_grad_cam_of_torchscript(tmp_path: Path, device: str) -> None:
    bundle = scripted(classifier(tmp_path / "net"), tmp_path)
    patches = np.random.default_rng(1).integers(0, 256, (5, EDGE, EDGE, 3), np.uint8)
    here, there = (GradCam(bundle, device=name).heat(patches, 1) for name in (device, "cpu"))
    np.testing.assert_allclose(here.heat, there.heat, atol=1e-2)


def test_a_region_is_explained(tmp_path: Path, device: str, slide: ArraySource) -> None:
    bundle = classifier(tmp_path / "net")
    here, there = (
        run(explain(slide, bundle, Box((40, 50), (200, 240)), settings=ExplainSettings(device=name, everywhere=True),
                    class_index=2))
        for name in (device, "cpu")
    )  # fmt: skip
    assert here.provenance["device"] == device
    np.testing.assert_allclose(here.heat, there.heat, atol=2e-2)


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_run_begun_on_the_processor_goes_on_where_the_precision_is_the_same(
    tmp_path: Path, cuda: torch.device, slide: ArraySource, precision: str
) -> None:
    bundle, out = classifier(tmp_path / "net"), tmp_path / "out"
    settings = ClassifySettings(device="cpu", batch_size=8, precision=precision)
    job = classify(slide, bundle, settings, out=out, tissue=everywhere(slide))
    while not (isinstance(event := next(job), PatchesScored) and event.done >= 16):
        pass
    job.close()
    result = classified(slide, bundle, str(cuda), out, batch_size=8, precision=precision)
    assert result.provenance["precision"] == ("float32" if precision == "float32" else "bfloat16")
    assert (result.provenance["resumed"] > 0) == (precision == "float32")
    expected = classified(slide, bundle, "cpu", precision="float32")
    assert np.abs(result.probabilities - expected.probabilities).mean() < (1e-4 if precision == "float32" else 0.02)
