"""The choice of bfloat16 by comparing scores."""

from dataclasses import replace

import numpy as np
import pytest

from napari_medpatch.events import run
from napari_medpatch.infer.classify import classify
from napari_medpatch.infer.classify_result import ClassifySettings
from napari_medpatch.infer.patch_scorer import PatchScorer
from napari_medpatch.infer.precision_gate import may_halve

SETTINGS = ClassifySettings(device="cpu", overlap=0.6, batch_size=16)


@pytest.fixture(autouse=True)
def _native(monkeypatch) -> None:
    """Let every processor count as one that multiplies bfloat16, and every network as worth it."""
    monkeypatch.setattr("napari_medpatch.infer.precision_gate.native_bfloat16", lambda device: True)
    monkeypatch.setattr("napari_medpatch.infer.resumed_scorer.native_bfloat16", lambda device: True)
    monkeypatch.setattr("napari_medpatch.models.speed._WORTHWHILE", 0)


def _touchy(bundle, gain: float):
    """Let a network's logits lie far from zero, where bfloat16 is coarse."""
    plain = bundle.load

    def load(device="cpu"):
        import torch

        class Touchy(torch.nn.Module):
            inner = plain(device)

            def forward(self, batch: torch.Tensor) -> torch.Tensor:
                return self.inner(batch) + gain - gain

        return Touchy().eval()

    bundle.load = load
    return bundle


@pytest.mark.parametrize(("gain", "precision"), [(0.0, "bfloat16"), (1000.0, "float32")])
def test_bfloat16_must_score_as_float32(pyramid, stained_slide, mean_colour, gain: float, precision: str) -> None:
    source = pyramid(stained_slide)
    exact = run(classify(source, mean_colour(), replace(SETTINGS, precision="float32")))
    found = run(classify(source, _touchy(mean_colour(), gain), SETTINGS))
    assert found.provenance["precision"] == precision
    assert np.nanmean(np.abs(found.probabilities - exact.probabilities)) < 0.005


def test_a_stopped_run_goes_on_in_its_precision(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    whole = run(classify(pyramid(stained_slide), mean_colour(), SETTINGS, out=tmp_path / "whole"))
    job = classify(pyramid(stained_slide), mean_colour(), SETTINGS, out=tmp_path / "out")
    next(event for event in job if getattr(event, "probabilities", None) is not None)
    job.close()
    bundle = mean_colour()
    again = run(classify(pyramid(stained_slide), bundle, SETTINGS, out=tmp_path / "out"))
    assert again.provenance["resumed"] > 0
    assert again.provenance["precision"] == whole.provenance["precision"] == "bfloat16"
    np.testing.assert_array_equal(again.probabilities, whole.probabilities)


@pytest.mark.parametrize("change", [{"exact": True}, {"precision": "float32"}, {"mc_dropout": 2}])
def test_what_was_asked_for_is_not_compared(mean_colour, change: dict) -> None:
    scorer = PatchScorer(mean_colour(), device="cpu")
    assert may_halve(scorer, SETTINGS, 1000)
    assert not may_halve(scorer, replace(SETTINGS, **change), 1000)
    assert not may_halve(scorer, SETTINGS, 100), "a few patches are not worth the comparison"


def test_the_job_can_be_stopped_while_it_compares(pyramid, stained_slide, mean_colour, monkeypatch) -> None:
    monkeypatch.setattr("napari_medpatch.infer.classify_run.SPEAK_SECONDS", 0.0)
    job = classify(pyramid(stained_slide), mean_colour(), SETTINGS)
    said = next(event.message for event in job if "bfloat16" in getattr(event, "message", ""))
    job.close()
    assert "float32" in said
