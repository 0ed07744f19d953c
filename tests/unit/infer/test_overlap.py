from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_folders import write_folder

from napari_medpatch.events import run
from napari_medpatch.infer.decide import decide
from napari_medpatch.infer.overlap import decide_overlapping, decider
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.models.card import ModelCard

# Three classes at five voxels.
LOGITS = np.array([[4, 2, -1, -9, 1], [3, 3, -2, 2, 1.5], [-9, 1, -3, 1, -9]], np.float32)[:, None]


def test_the_most_probable_of_the_classes_that_are_there_is_kept() -> None:
    found = decide_overlapping(LOGITS, None, maps=False)
    assert found.labels.tolist() == [[1, 2, 0, 2, 2]]
    assert found.probabilities is None
    assert found.uncertainty is None


def test_priority_lets_a_class_win_over_one_that_is_surer() -> None:
    assert decide_overlapping(LOGITS, None, maps=False, priority=(2, 0, 1)).labels.tolist() == [[1, 3, 0, 3, 1]]


@pytest.mark.parametrize("priority", [(), (2, 0, 1)])
def test_a_threshold_counts_for_each_class(priority: tuple[int, ...]) -> None:
    found = decide_overlapping(LOGITS, 0.9, maps=True, priority=priority)
    assert found.labels.tolist() == [[1, 2, 0, 0, 0]]
    np.testing.assert_allclose(found.probabilities, 255 / (1 + np.exp(-LOGITS)), atol=0.5001)


def test_uncertainty_is_largest_at_one_half() -> None:
    found = decide_overlapping(np.array([[[0.0, 9.0, -9.0]]], np.float32), None, maps=False, uncertainty=True)
    assert found.uncertainty is not None
    assert found.uncertainty.tolist()[0][0] == 255
    assert max(found.uncertainty.tolist()[0][1:]) < 3


def test_the_rule_follows_the_card() -> None:
    names = ("background", "organ", "tumour")
    card = ModelCard("x", "segment-3d", "torchscript", names)
    assert decider(card) is decide
    sigmoid = ModelCard(
        "x", "segment-3d", "torchscript", names, network={"activation": "sigmoid", "priority": ["tumour", "organ"]}
    )
    both = np.array([[[3.0]], [[1.0]]], np.float32)
    assert decider(sigmoid)(both, None, maps=False).labels.tolist() == [[2]]


class Nested(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([(0.9 - x) * 50, (0.2 - x) * 20], dim=1)


def box_in_tissue() -> np.ndarray:
    """Soft tissue with a box of air in it, and bone above."""
    hu = np.full((20, 26, 30), 40, np.int16)
    hu[2:9, 4:16, 3:10] = -1000
    hu[12:15] = 300
    return hu


@pytest.mark.parametrize("by_order", [True, False])
def test_classes_that_overlap_are_kept_by_priority(tmp_path: Path, by_order: bool) -> None:
    hu = box_in_tissue()
    network = {"window": [16, 16, 16], "activation": "sigmoid"} | ({"priority": ["air", "soft"]} if by_order else {})
    folder = write_folder(tmp_path / "net", Nested(), network=network, class_names=["background", "soft", "air"])
    settings = SegmentSettings(device="cpu")
    result = run(segment(ArraySource(hu, "volume", (1, 1, 1)), load_bundle(folder), settings))
    air = 2 if by_order else 1
    np.testing.assert_array_equal(result.mask, np.where(hu == -1000, air, np.where(hu == 40, 1, 0)))
    assert (result.probabilities[:, 3, 5, 4] >= 250).all(), "both classes are there"
