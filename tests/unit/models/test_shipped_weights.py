"""The models that come with the package do their job on simulated images they have not seen."""

import numpy as np
import pytest
import torch

from napari_medpatch.events import Finished
from napari_medpatch.infer.segment import segment
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.preprocess import normalise_patches
from napari_medpatch.models.registry import SHIPPED, load_bundle, resolve_model
from napari_medpatch.samples import make_fundus, make_thorax
from napari_medpatch.samples.histology import TISSUES, draw_stain, texture

TRAINED = ("lungs-ct-unet3d", "fundus-vessels-unet2d", "tissue-patches-demo")
NAMES = (*TRAINED, "lungs-threshold")


def result_of(job):
    *_, last = job
    assert isinstance(last, Finished)
    return last.result


def overlap(found, truth):
    return (found & truth).sum() / (found | truth).sum()


def test_exactly_these_are_shipped_and_they_are_small():
    assert sorted(folder.name for folder in SHIPPED.iterdir() if folder.is_dir()) == sorted(NAMES)
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) < 8_000_000


@pytest.mark.parametrize("name", TRAINED)
def test_the_card_says_what_a_user_must_know(name):
    bundle = load_bundle(SHIPPED / name)
    assert bundle.card.licence == "BSD-3-Clause"
    assert bundle.card.metrics
    assert bundle.card.training["script"].startswith("scripts/train_")
    text = (SHIPPED / name / "README.md").read_text(encoding="utf-8")
    for heading in ("## Trained on", "## Measured", "## Must not be used for", "## Licence"):
        assert heading in text, heading


@pytest.mark.parametrize("name", ["lungs-ct-unet3d", "lungs-threshold"])
def test_lungs_are_found_in_an_unseen_chest(name):
    thorax = make_thorax((60, 80, 100), spacing=(5.0, 4.0, 4.0), seed=1234, noise=25.0)
    source = ArraySource(thorax.hu, "volume", spacing=(5.0, 4.0, 4.0))
    result = result_of(segment(source, resolve_model(name)))
    assert result.class_names == ("lung",)
    assert overlap(result.mask > 0, thorax.lungs) > 0.85


def test_vessels_are_found_in_an_unseen_eye():
    eye = make_fundus((400, 400), seed=4321)
    result = result_of(segment(ArraySource(eye.image, "photo"), resolve_model("fundus-vessels-unet2d")))
    found = result.mask > 0
    assert 2 * (found & eye.vessels).sum() / (found.sum() + eye.vessels.sum()) > 0.6


def test_simulated_tumour_scores_above_simulated_normal_tissue():
    bundle = resolve_model("tissue-patches-demo")
    side, spacing = bundle.card.patch_size_pixels, bundle.card.spacing_um_px
    rng = np.random.default_rng(99)
    scores = {}
    for kind in TISSUES:
        dyes = texture(kind, 2 * side, spacing, rng)
        corners = [(0, 0), (0, side), (side, 0), (side, side)]
        patches = [draw_stain(rng, 0.5).colour(dyes[y : y + side, x : x + side]) for y, x in corners]
        logits = bundle.load()(normalise_patches(torch.from_numpy(np.stack(patches)), bundle.card))
        scores[kind] = torch.softmax(logits, 1)[:, 1].mean().item()
    assert min(scores, key=scores.__getitem__) != "tumour"
    assert scores["tumour"] > 0.5 > max(score for kind, score in scores.items() if kind != "tumour")
