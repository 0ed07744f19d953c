"""The network that training begins with: a new one, or a model that exists."""

import re
from typing import TYPE_CHECKING

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.precision import Precision
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network

if TYPE_CHECKING:
    from torch import nn

    from napari_medpatch.models.bundle import Bundle

# At 40 steps 1e-2 gave lungs of IoU 0.80 where 4e-3 gave 0.18; a trained model is only nudged.
_FRESH_RATE, _WARM_RATE = 1e-2, 1.5e-3
_UNNAMED = re.compile(r"(class|label) ?\d+|object")


def check_base(base: "Bundle", task: str) -> None:
    """Refuse a model that cannot be trained further on this kind of image.

    Raises
    ------
    BundleError
        If it is no U-Net for the task.
    """
    card = base.card
    if card.task != task:
        raise BundleError(
            f"The base model {card.name} is a {card.task}, this image needs a {task}; choose another base or none."
        )
    if card.architecture != "unet":
        raise BundleError(f"The base model {card.name} is no U-Net and cannot be fine-tuned; choose another or none.")


def names_after_base(class_names: tuple[str, ...], base: "Bundle | None") -> tuple[str, ...]:
    """Return the base's class names for classes that nobody named, if there are as many."""
    unnamed = all(_UNNAMED.fullmatch(name) for name in class_names[1:])
    if base is None or not unnamed or len(class_names) != base.card.num_classes:
        return class_names
    return base.card.class_names


def network_shape(dimensions: int, precision: Precision, device: str) -> dict[str, object]:
    """Return a new U-Net's shape.

    In float32 on a processor half the channels give three times the steps, which a minute needs more.
    """
    slow = precision == "float32" and device == "cpu"
    return {
        "levels": 3 if dimensions == 3 else 4,
        "channels": 8 if slow else 16,
        "convs": 2,
        "norm": "batch",
    }


def starting_model(card: ModelCard, base: "Bundle | None", seed: int) -> tuple["nn.Module", float]:
    """Return the network and its highest learning rate.

    Parameters
    ----------
    card : ModelCard
        Of the model to be trained.
    base : Bundle, optional
        Its weights are taken over. Outputs of classes with the same name keep theirs, others begin anew.
    seed : int
        Of new weights.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_network(card)
    if base is None:
        return model, _FRESH_RATE
    known = base.load().state_dict()
    own = model.state_dict()
    for name, tensor in known.items():
        if not name.startswith("head."):
            own[name] = tensor
    for index, wanted in enumerate(card.class_names):
        if wanted in base.card.class_names:
            there = base.card.class_names.index(wanted)
            for part in ("head.weight", "head.bias"):
                own[part][index] = known[part][there]
    model.load_state_dict(own)
    return model, _WARM_RATE
