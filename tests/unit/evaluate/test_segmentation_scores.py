"""Overlap scores against counts done by hand."""

import numpy as np
import pytest

from napari_medpatch.errors import GeometryError
from napari_medpatch.evaluate.segmentation import overlap


def test_counts_by_hand() -> None:
    truth = np.array([[1, 1, 0, 0], [0, 0, 2, 2]], np.uint8)
    prediction = np.array([[1, 0, 1, 0], [0, 0, 2, 2]], np.uint8)
    scores = overlap(prediction, truth)
    assert scores[1]["iou"] == pytest.approx(1 / 3)
    assert scores[1]["dice"] == pytest.approx(1 / 2)
    assert scores[1]["sensitivity"] == scores[1]["precision"] == pytest.approx(1 / 2)
    assert scores[1]["specificity"] == pytest.approx(5 / 6)
    assert scores[2]["iou"] == 1.0


def test_only_kept_voxels_count() -> None:
    truth = np.array([1, 1, 0, 0], np.uint8)
    prediction = np.array([1, 0, 1, 0], np.uint8)
    keep = np.array([True, False, False, True])
    assert overlap(prediction, truth, keep)[1]["iou"] == 1.0


def test_class_missing_from_truth_is_scored_zero_and_undefined_stays_none() -> None:
    scores = overlap(np.array([3, 0], np.uint8), np.array([0, 0], np.uint8))
    assert scores[3]["iou"] == 0.0
    assert scores[3]["sensitivity"] is None


def test_other_shape_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"\(2, 2\).*\(3, 2\)"):
        overlap(np.zeros((2, 2), np.uint8), np.zeros((3, 2), np.uint8))
