from dataclasses import replace

from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.model_readme import readme_of

CARD = ModelCard(
    "lungs",
    "segment-3d",
    "unet",
    ("background", "lung"),
    spacing=(3.0, 3.0, 3.0),
    spacing_unit="mm",
    in_channels=1,
    intensity={"kind": "hu_window", "low": -1000, "high": 400},
    training={"cases": 12},
    metrics={"iou": 0.95},
    licence="BSD-3-Clause",
    citation="Çiçek et al. 2016",
)


def test_facts_of_the_card_are_in_the_text() -> None:
    text = readme_of(CARD)
    for fact in (
        "# lungs",
        "3 × 3 × 3 mm",
        "| low | -1000 |",
        "| cases | 12 |",
        "| iou | 0.95 |",
        "Çiçek",
        "BSD-3-Clause",
    ):
        assert fact in text
    assert "Not a medical device" in text


def test_what_is_unknown_is_left_out() -> None:
    text = readme_of(replace(CARD, training={}, metrics={}, citation=""))
    assert "## Training" not in text
    assert "## Scores" not in text
    assert "## Cite" not in text


def test_classifiers_say_how_patches_are_taken() -> None:
    card = ModelCard("t", "patch-classifier", "resnet18", ("a", "b"), patch_size_pixels=96, spacing_um_px=1.0)
    assert "| patch | 96 px at 1.0 µm/px |" in readme_of(card)
