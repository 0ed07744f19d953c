"""A timm network under a head of fully connected layers; needs torch when it is imported."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn


class Classifier(nn.Module):
    """Backbone, pooling, fully connected layers.

    Parameters
    ----------
    backbone : torch.nn.Module
        A timm model without classes.
    num_classes : int
        Outputs.
    hidden : sequence of int
        Widths of the layers in between.
    dropout : float
        Before each layer.
    pooling : str
        ``"avg"``, ``"max"`` or ``"avgmax"``.
    """

    def __init__(
        self, backbone: nn.Module, num_classes: int, *, hidden: Sequence[int], dropout: float, pooling: str
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        if isinstance(getattr(backbone, "pre_logits", None), nn.Module):
            # VGG's two layers of 4096 are the head that this one replaces: nine tenths of its weights.
            backbone.pre_logits = nn.Identity()
        width = int(backbone.num_features) * (2 if pooling == "avgmax" else 1)  # type: ignore[arg-type]
        self.head = _head([width, *hidden, num_classes], dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(N, num_classes)`` for ``(N, C, Y, X)``."""
        features: torch.Tensor = self.backbone.forward_features(x)  # type: ignore[operator]
        logits: torch.Tensor = self.head(_pool(features, int(self.backbone.num_features), self.pooling))  # type: ignore[arg-type]
        return logits


def _pool(features: torch.Tensor, width: int, pooling: str) -> torch.Tensor:
    """Reduce maps ``(N, C, Y, X)`` or ``(N, Y, X, C)``, or tokens ``(N, T, C)``, to ``(N, C)``."""
    if features.ndim == 4 and features.shape[1] == width:
        features = features.flatten(2).transpose(1, 2)
    tokens = features.flatten(1, -2)
    if pooling == "avg":
        return tokens.mean(1)
    if pooling == "max":
        return tokens.amax(1)
    return torch.cat([tokens.mean(1), tokens.amax(1)], dim=1)


def _head(widths: Sequence[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise(widths)):
        if index:
            layers.append(nn.ReLU(inplace=True))
        layers += [nn.Dropout(dropout), nn.Linear(before, after)]
    return nn.Sequential(*layers)
