from dataclasses import replace

import pytest
import torch

from napari_medpatch.errors import BundleError
from napari_medpatch.models import classifiers
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network, unet_config

UNET = ModelCard("v", "segment-2d", "unet", ("background", "a", "b"), network={"levels": 2, "channels": 3})
CLASSIFIER = ModelCard("c", "patch-classifier", "mobilenetv2_050", ("x", "y"), network={"hidden": [4]})


def test_a_unet_takes_its_channels_and_classes_from_the_card() -> None:
    config = unet_config(UNET)
    assert (config.dimensions, config.in_channels, config.num_classes, config.levels) == (2, 3, 3, 2)
    with torch.no_grad():
        assert build_network(UNET).eval()(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 8, 8)


def test_what_a_card_says_twice_must_agree() -> None:
    assert unet_config(replace(UNET, network={"in_channels": 3})).in_channels == 3
    with pytest.raises(BundleError, match="in_channels 1 but says 3 elsewhere"):
        unet_config(replace(UNET, network={"in_channels": 1}))


def test_a_classifier_gets_its_head_and_input_channels() -> None:
    model = build_network(replace(CLASSIFIER, in_channels=1)).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 1, 32, 32)).shape == (1, 2)
    assert [layer.out_features for layer in model.head if isinstance(layer, torch.nn.Linear)] == [4, 2]


def test_only_the_caller_can_ask_for_pretrained_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def build(name: str, classes: int, *, pretrained: bool, **_: object) -> torch.nn.Module:
        asked.append(pretrained)
        return torch.nn.Linear(1, classes)

    monkeypatch.setattr(classifiers, "build_classifier", build)
    build_network(replace(CLASSIFIER, network={"pretrained": True}))
    build_network(CLASSIFIER, pretrained=True)
    assert asked == [False, True]


def test_architectures_of_other_tasks_are_refused() -> None:
    with pytest.raises(BundleError, match="'vnet'; this version runs 'unet' for segment-2d"):
        build_network(replace(UNET, architecture="vnet"))
