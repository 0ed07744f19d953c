"""From a model card to a network without weights."""

from typing import TYPE_CHECKING

from napari_medpatch.errors import BundleError
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network_facts import without_facts
from napari_medpatch.models.unet import UNetConfig, build_unet

if TYPE_CHECKING:
    from torch import nn


def unet_config(card: ModelCard) -> UNetConfig:
    """Return the U-Net that a segmentation model's card describes.

    Raises
    ------
    BundleError
        If the card describes no U-Net, or contradicts itself.
    """
    fixed = {"dimensions": card.dimensions, "in_channels": card.in_channels, "num_classes": card.num_classes}
    for key, value in fixed.items():
        if card.network.get(key, value) != value:
            raise BundleError(
                f"config.json of {card.name} gives its network {key} {card.network[key]} but says {value} elsewhere."
            )
    return UNetConfig.from_mapping({**without_facts(card.network), **fixed})


def build_network(card: ModelCard, *, pretrained: bool = False) -> "nn.Module":
    """Build a card's network, randomly initialised unless timm fills it.

    Parameters
    ----------
    card : ModelCard
        ``architecture`` is ``"unet"`` or, for classifiers and multiple-instance models, a timm name;
        ``network`` its arguments.
    pretrained : bool
        Let timm fetch its weights (classifiers); a card never asks for that by itself.

    Raises
    ------
    BundleError
        If this version has no such architecture.
    """
    if card.architecture == "unet":
        return build_unet(unet_config(card))
    if card.task not in ("patch-classifier", "slide-mil"):
        raise BundleError(
            f"Model {card.name} has the architecture {card.architecture!r}; this version runs 'unet' for {card.task}."
        )
    from napari_medpatch.models.classifiers import build_classifier
    from napari_medpatch.models.mil import build_mil

    build = build_mil if card.task == "slide-mil" else build_classifier
    options = {"in_chans": card.in_channels} if card.in_channels != 3 else {}
    return build(card.architecture, card.num_classes, **{**options, **card.network, "pretrained": pretrained})
