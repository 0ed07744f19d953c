"""Attention pooling."""

import numpy as np
import pytest
import torch

from napari_medpatch.infer.aggregate import slide_score
from napari_medpatch.infer.attention import attention_score, relative_attention


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def test_relative_attention_is_one_at_the_highest() -> None:
    logits = np.array([[1000.0, np.nan], [999.0, 0.0]], np.float32)
    np.testing.assert_allclose(relative_attention(logits), [[1.0, np.nan], [np.exp(-1.0), 0.0]], rtol=1e-6)
    assert np.isnan(relative_attention(np.full((2, 2), np.nan, np.float32))).all()


@pytest.mark.parametrize("classes", [2, 4])
def test_slide_is_the_softmax_of_the_weighted_mean_logits(classes) -> None:
    rng = np.random.default_rng(0)
    logits, attention = rng.normal(0, 6, (50, classes)), rng.normal(0, 2, 50)
    expected = _softmax(_softmax(attention) @ logits)
    found = attention_score(
        _softmax(logits).astype(np.float32), relative_attention(attention.astype(np.float32)), "abcd"[:classes]
    )
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-5)


def test_one_logit_is_pooled_before_the_sigmoid() -> None:
    logits, attention = np.array([-3.0, 2.0, 5.0]), np.array([0.5, 1.0, -1.0])
    pooled = float(_softmax(attention) @ logits)
    probabilities = (1 / (1 + np.exp(-logits)))[:, None].astype(np.float32)
    found = attention_score(probabilities, relative_attention(attention.astype(np.float32)), ("Tumor",))
    assert found["Tumor"] == pytest.approx(1 / (1 + np.exp(-pooled)), abs=1e-5)


def test_certain_and_unscored_patches_do_no_harm() -> None:
    probabilities = np.array([[0.0, 1.0], [np.nan, np.nan], [1.0, 0.0]], np.float32)
    found = attention_score(probabilities, np.array([1.0, np.nan, 0.5], np.float32), ("a", "b"))
    assert found["b"] == pytest.approx(1.0)
    assert attention_score(probabilities[1:2], np.array([np.nan], np.float32), ("a", "b")) is None


def test_slide_score_has_attention_only_where_it_is_known() -> None:
    probabilities = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    assert "attention" not in slide_score(probabilities, ("a", "b"))
    score = slide_score(probabilities, ("a", "b"), attention=np.array([1.0, 0.0], np.float32))
    assert score["attention"] == pytest.approx({"a": 0.25, "b": 0.75})


def test_agrees_with_the_network_that_pools_features() -> None:
    from napari_medpatch.models.mil import build_mil

    torch.manual_seed(0)
    model = build_mil("resnet18", 3, attention=16).eval()
    patches = torch.rand(7, 3, 48, 48)
    with torch.inference_mode():
        expected = model.bag(patches).softmax(dim=0).numpy()
        outputs = torch.cat([model(patches[:4]), model(patches[4:])])
    weights = relative_attention(outputs[:, 3].numpy())
    found = attention_score(outputs[:, :3].softmax(dim=1).numpy(), weights, ("a", "b", "c"))
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-5)
