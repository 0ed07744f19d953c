"""One model for many slides."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from napari_medpatch.cohort.model import ModelReference, digest_of, keep_loaded, open_reference, refer_to
from napari_medpatch.errors import ClusterError
from napari_medpatch.infer.classify_result import DEFAULTS
from napari_medpatch.infer.run_record import model_digest
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.models.registry import SHIPPED, resolve_model

MODEL = "tissue-patches-demo"


def test_a_network_is_loaded_once_per_device(mean_colour) -> None:
    kept = keep_loaded(mean_colour(), DEFAULTS)
    assert kept.load("cpu") is kept.load("cpu")
    assert kept.card.class_names == ("other", "tumour")


def test_dropout_gets_a_fresh_network_each_time(mean_colour) -> None:
    bundle = mean_colour()
    assert keep_loaded(bundle, replace(DEFAULTS, mc_dropout=5)) is bundle


def test_the_digest_is_computed_once(mean_colour, monkeypatch) -> None:
    bundle = mean_colour()
    expected = model_digest(bundle)
    kept = keep_loaded(bundle, DEFAULTS)
    assert digest_of(kept) == digest_of(bundle) == expected
    monkeypatch.setattr("napari_medpatch.infer.run_record.model_digest", lambda _: "another")
    assert digest_of(kept) == expected


def test_a_shipped_model_is_sent_by_name() -> None:
    reference = refer_to(resolve_model(MODEL))
    assert reference.shipped == MODEL
    # On another machine the package may lie elsewhere.
    moved = replace(reference, bundle=replace(reference.bundle, path=Path("/elsewhere") / MODEL))
    assert open_reference(moved, "worker").path == SHIPPED / MODEL


def test_what_is_sent_is_small_and_holds_no_weights() -> None:
    reference = refer_to(resolve_model(MODEL))
    sent = pickle.dumps(reference)
    assert len(sent) < 10_000
    assert pickle.loads(sent) == reference


def test_paths_are_sent_absolute(patch_card, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bundle").mkdir()
    Path("weights.safetensors").touch()
    reference = refer_to(Bundle(Path("bundle"), patch_card(), weights=Path("weights.safetensors")))
    assert reference.bundle.path == tmp_path / "bundle"
    assert reference.bundle.weights == tmp_path / "weights.safetensors"
    assert open_reference(reference, "worker") == reference.bundle


@pytest.mark.parametrize("outside", [False, True])
def test_a_model_that_a_worker_cannot_see(patch_card, tmp_path, outside) -> None:
    weights = tmp_path / "absent.safetensors" if outside else None
    path = tmp_path if outside else tmp_path / "absent"
    with pytest.raises(ClusterError, match=r"node7 cannot see the model .*absent"):
        open_reference(ModelReference(Bundle(path, patch_card(), weights=weights)), "node7")


def test_weights_of_timm_need_no_file(patch_card) -> None:
    bundle = Bundle(Path("timm:resnet18"), patch_card(), pretrained=True)
    assert refer_to(bundle).bundle.path == bundle.path
    assert open_reference(refer_to(bundle), "worker") == bundle
