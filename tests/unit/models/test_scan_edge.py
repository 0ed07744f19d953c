"""What a card says lies beyond a scan."""

from typing import Any

import pytest

from napari_medpatch.errors import BundleError
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.intensity import check_intensity
from napari_medpatch.models.registry import resolve_model
from napari_medpatch.models.scan_edge import ScanEdge, scan_edge


def card(**rule: Any) -> ModelCard:
    intensity = {"kind": "hu_window", "low": -1000, "high": 400, **rule}
    return ModelCard("any", "segment-3d", "unet", ("background", "lung"), in_channels=1, intensity=intensity)


def test_nothing_is_continued_unless_a_card_asks() -> None:
    assert scan_edge(card()) == ScanEdge()
    assert ScanEdge().voxels((4.0, 4.0, 4.0)) == ((0, 0, 0), (1, 1, 1))
    assert ScanEdge().share((1.0, 1.0, 1.0)) == 1.0


def test_lengths_become_whole_voxels_of_the_working_grid() -> None:
    edge = scan_edge(card(beyond={"margin_mm": [4, 8, 0], "least_mm": 64}))
    assert edge.voxels((4.0, 3.0, 2.0)) == ((1, 3, 0), (16, 22, 32))


def test_a_thin_stack_is_a_share_of_a_scan() -> None:
    edge = ScanEdge(least_mm=64.0)
    assert edge.share((16.0, 300.0, 300.0)) == 0.25
    assert edge.share((16.0, 32.0, 300.0)) == 0.125
    assert edge.share((200.0, 300.0, 300.0)) == 1.0


@pytest.mark.parametrize(
    "rule",
    [
        5, {"margin": 3}, {"margin_mm": 8}, {"margin_mm": [0, 8]}, {"margin_mm": [0, 8, -1]}, {"least_mm": "64"},
        {"least_mm": float("nan")}, {"least_mm": 1e9}, {"least_mm": True},
    ],
)  # fmt: skip
def test_other_rules_are_refused_with_the_form_that_is_needed(rule: object) -> None:
    with pytest.raises(BundleError, match="margin_mm"):
        check_intensity(card(beyond=rule))


@pytest.mark.parametrize("name", ["lungs-ct-unet3d", "lungs-threshold"])
def test_the_shipped_lung_models_continue_thin_stacks(name: str) -> None:
    assert scan_edge(resolve_model(name).card).least_mm == 64
