"""Slide scores."""

import numpy as np
import pytest

from napari_medpatch.infer.aggregate import slide_score


def test_mean_top_k_and_fraction() -> None:
    tumour = np.arange(20, dtype=np.float32) / 20
    probabilities = np.stack([1 - tumour, tumour], axis=1).reshape(4, 5, 2)
    score = slide_score(probabilities, ("other", "tumour"), top_k=4, threshold=0.5)
    assert score["patches"] == 20
    assert score["classes"]["tumour"]["mean"] == pytest.approx(0.475)
    assert score["classes"]["tumour"]["top_k_mean"] == pytest.approx((0.95 + 0.9 + 0.85 + 0.8) / 4)
    assert score["classes"]["tumour"]["fraction_above"] == pytest.approx(0.5)


def test_unscored_patches_do_not_count() -> None:
    probabilities = np.array([[[np.nan], [0.2]], [[0.4], [np.nan]]], np.float32)
    score = slide_score(probabilities, ("x",), top_k=10)
    assert score["patches"] == 2
    assert score["classes"]["x"]["mean"] == pytest.approx(0.3)
    assert score["classes"]["x"]["top_k_mean"] == pytest.approx(0.3)


def test_nothing_scored_gives_none_not_nan() -> None:
    score = slide_score(np.full((2, 2, 1), np.nan, np.float32), ("x",))
    assert score["classes"]["x"] == {"mean": None, "top_k_mean": None, "fraction_above": None}
