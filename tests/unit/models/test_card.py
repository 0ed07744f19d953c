import json

import pytest

from napari_medpatch.errors import BundleError
from napari_medpatch.models.card import ModelCard, card_from_config

CLASSIFIER = ModelCard(
    "tissue",
    "patch-classifier",
    "resnet18",
    ("normal", "tumour"),
    patch_size_pixels=224,
    spacing_um_px=0.5,
    transform=({"name": "ToTensor"},),
    metrics={"auc": 0.9},
)
ZOO = {
    "spec_version": "1.0",
    "architecture": "resnet34",
    "num_classes": 2,
    "class_names": ["Other", "Tumor"],
    "patch_size_pixels": 350,
    "spacing_um_px": 0.25,
    "transform": [{"name": "Resize", "arguments": {"size": 224}}, {"name": "ToTensor"}],
}


def test_a_card_survives_json() -> None:
    config = json.loads(json.dumps(CLASSIFIER.to_config()))
    assert card_from_config(config, "other") == CLASSIFIER


def test_our_config_has_the_zoos_fields_at_the_top() -> None:
    config = CLASSIFIER.to_config()
    assert set(ZOO) == set(config) - {"medpatch"}
    assert config["num_classes"] == 2


def test_a_zoo_config_is_a_patch_classifier() -> None:
    card = card_from_config(ZOO, "breast")
    assert (card.name, card.task, card.num_classes, card.dimensions) == ("breast", "patch-classifier", 2, 2)
    assert card.transform[0]["arguments"] == {"size": 224}


def test_the_old_zoo_schema_is_read() -> None:
    old = {key: value for key, value in ZOO.items() if key not in ("spec_version", "architecture")}
    assert card_from_config(old, "breast").architecture == "unknown"


def test_spacings_become_tuples_of_float() -> None:
    config = ModelCard("ct", "segment-3d", "unet", ("background", "lung"), spacing=(3, 3, 3)).to_config()
    card = card_from_config(json.loads(json.dumps(config)), "ct")
    assert card.spacing == (3.0, 3.0, 3.0)
    assert card.dimensions == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"num_classes": None}, "lacks num_classes"),
        ({"class_names": None}, "lacks class_names"),
        ({"num_classes": 3}, "num_classes 3 but names"),
        ({"class_names": ["a", "a"]}, "names"),
        ({"patch_size_pixels": 0}, "patch_size_pixels 0"),
        ({"spacing_um_px": "half"}, "spacing_um_px 'half'"),
        ({"medpatch": {"task": "guess"}}, "unknown task 'guess'"),
    ],
)
def test_configs_that_say_too_little_or_too_much_are_refused(change: dict[str, object], sentence: str) -> None:
    config = {key: value for key, value in (ZOO | change).items() if value is not None}
    with pytest.raises(BundleError, match=sentence):
        card_from_config(config, "breast")


def test_keys_of_later_versions_are_ignored() -> None:
    assert card_from_config(ZOO | {"medpatch": {"colour": "green"}}, "breast").name == "breast"
