"""Bundles of small U-Nets whose answer is known, for the tests of segmentation."""

from pathlib import Path
from typing import Any

import torch

from napari_medpatch.models.bundle import Bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network

HU = {"kind": "hu_window", "low": -1000, "high": 400}
RGB = {"kind": "rgb", "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}


def card(task: str = "segment-3d", **changes: Any) -> ModelCard:
    """A card of a CT model, or with ``in_channels=3`` of a colour model."""
    values: dict[str, Any] = {"architecture": "unet", "class_names": ("background", "dark"), "in_channels": 1} | changes
    values.setdefault("intensity", HU if values["in_channels"] == 1 else RGB)
    return ModelCard(name="any", task=task, **values)


def darkness(folder: Path, *, below: float, task: str = "segment-3d", **changes: Any) -> Bundle:
    """A network that calls what is darker than ``below`` (on the scale 0…1) foreground."""
    described = card(task, network={"levels": 1, "channels": 1, "convs": 1, "norm": "none"}, **changes)
    model = build_network(described)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        centre = (slice(None), slice(None), *(1,) * described.dimensions)
        model.encoder[0][0].weight[centre] = 1 / described.in_channels
        model.head.weight[1] = -20
        model.head.bias[1] = 20 * below
    return save_bundle(folder, described, model)


def random_unet(
    folder: Path, task: str = "segment-3d", *, levels: int = 3, seed: int = 0, network: Any = None, **changes: Any
) -> Bundle:
    """A network with random weights whose logits on random images are centred on 0 with deviation 4."""
    described = card(task, network={"levels": levels, "channels": 4} | (network or {}), **changes)
    torch.manual_seed(seed)
    model = build_network(described).train()
    # White noise, correlated, so that deep levels see some of it too.
    example = torch.nn.functional.interpolate(
        torch.rand(1, described.in_channels, *(8,) * described.dimensions), scale_factor=4, mode="nearest"
    )
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
                layer.momentum = 1.0
        model(example)
        logits = model.eval()(example)
        moving = [axis for axis in range(logits.ndim) if axis != 1]
        model.head.weight *= (4 / logits.std(moving)).reshape(-1, *(1,) * (model.head.weight.ndim - 1))
        model.head.bias.copy_(model.head.bias * 4 / logits.std(moving) - logits.mean(moving) * 4 / logits.std(moving))
    return save_bundle(folder, described, model)
