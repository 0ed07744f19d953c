"""A network in half precision that looks like one in float32."""

import torch
from torch import nn


class HalfNetwork(nn.Module):
    """Converts input to bfloat16 and output back.

    Parameters
    ----------
    inner : nn.Module
        Network whose weights are bfloat16.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return float32 logits of a float32 batch ``(N, C, Y, X)``."""
        logits: torch.Tensor = self.inner(batch.bfloat16()).float()
        return logits
