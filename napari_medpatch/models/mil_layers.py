"""Gated attention over a timm network's features; needs torch when it is imported."""

import torch
from torch import nn

from napari_medpatch.models.classifier_layers import drop_own_head, pooled_features, pooled_width


class AttentionMil(nn.Module):
    """Gated attention multiple-instance network (Ilse et al., ICML 2018, eq. 9).

    A patch has features ``h``; its attention logit is ``w·(tanh(V h) * sigmoid(U h))`` and a slide's
    features are the ``softmax(attention)``-weighted mean of its patches'. The classifier on top is linear,
    so that a slide's logits are the same weighted mean of its patches' logits: patches can be scored in
    any order and in any batches, and the slide's answer follows from what was stored of them.

    Parameters
    ----------
    backbone : torch.nn.Module
        A timm model without classes.
    num_classes : int
        Classes of a slide.
    attention : int
        Width of the attention network.
    dropout : float
        On a patch's features, while training.
    pooling : str
        ``"avg"``, ``"max"`` or ``"avgmax"``, of feature maps.
    """

    def __init__(self, backbone: nn.Module, num_classes: int, *, attention: int, dropout: float, pooling: str) -> None:
        super().__init__()
        self.backbone = drop_own_head(backbone)
        self.pooling = pooling
        width = pooled_width(backbone, pooling)
        self.dropout = nn.Dropout(dropout)
        self.content = nn.Linear(width, attention)
        self.gate = nn.Linear(width, attention)
        # Without a bias: softmax over patches does not see what is added to all of them.
        self.weigh = nn.Linear(attention, 1, bias=False)
        self.head = nn.Linear(width, num_classes)

    def features(self, patches: torch.Tensor) -> torch.Tensor:
        """Return ``(N, width)`` for ``(N, 3, Y, X)``."""
        features: torch.Tensor = self.dropout(pooled_features(self.backbone, patches, self.pooling))
        return features

    def attention(self, features: torch.Tensor) -> torch.Tensor:
        """Return the attention logits ``(N, 1)`` of features ``(N, width)``; softmax over N weighs them."""
        logits: torch.Tensor = self.weigh(torch.tanh(self.content(features)) * torch.sigmoid(self.gate(features)))
        return logits

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Return ``(N, C + 1)`` for ``(N, 3, Y, X)``: logits of each patch, then its attention logit."""
        features = self.features(patches)
        return torch.cat([self.head(features), self.attention(features)], dim=1)

    def bag(self, patches: torch.Tensor) -> torch.Tensor:
        """Return a slide's logits ``(C,)`` for all of its patches ``(N, 3, Y, X)``; the path for training."""
        features = self.features(patches)
        weights = self.attention(features).softmax(dim=0)
        logits: torch.Tensor = self.head((weights * features).sum(dim=0))
        return logits
