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
        self.backbone = drop_own_head(backbone)
        self.pooling = pooling
        self.head = _head([pooled_width(backbone, pooling), *hidden, num_classes], dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(N, num_classes)`` for ``(N, C, Y, X)``."""
        logits: torch.Tensor = self.head(pooled_features(self.backbone, x, self.pooling))
        return logits


def drop_own_head(backbone: nn.Module) -> nn.Module:
    """Take out what is left of a timm network's own head."""
    if isinstance(getattr(backbone, "pre_logits", None), nn.Module):
        # VGG's two layers of 4096 are the head that ours replaces: nine tenths of its weights.
        backbone.pre_logits = nn.Identity()
    return backbone


def pooled_width(backbone: nn.Module, pooling: str) -> int:
    """Return how many features :func:`pooled_features` gives."""
    return int(backbone.num_features) * (2 if pooling == "avgmax" else 1)  # type: ignore[arg-type]


def pooled_features(backbone: nn.Module, x: torch.Tensor, pooling: str) -> torch.Tensor:
    """Return a timm network's features ``(N, width)`` for ``(N, C, Y, X)``."""
    features: torch.Tensor = backbone.forward_features(x)  # type: ignore[operator]
    return _pool(features, int(backbone.num_features), pooling)  # type: ignore[arg-type]


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
