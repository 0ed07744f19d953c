"""What stands between our networks and a runtime that only knows classes and softmax; needs torch."""

import torch
from torch import nn


class FirstColumns(nn.Module):
    """The first outputs of a network: the patch classifier in a multiple-instance model.

    Parameters
    ----------
    model : torch.nn.Module
        Gives ``(N, K)``.
    columns : int
        How many to keep.
    """

    def __init__(self, model: nn.Module, columns: int) -> None:
        super().__init__()
        self.model = model
        self.columns = columns

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(N, columns)``."""
        outputs: torch.Tensor = self.model(x)
        return outputs[:, : self.columns]


class TwoClasses(nn.Module):
    """A network with one logit ``z`` as one with the two logits ``(0, z)``.

    Softmax of those is ``(1 - sigmoid(z), sigmoid(z))``; softmax of one logit would be 1 whatever it sees.

    Parameters
    ----------
    model : torch.nn.Module
        Gives ``(N, 1)``.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(N, 2)``."""
        logit: torch.Tensor = self.model(x)
        return torch.cat([torch.zeros_like(logit), logit], dim=1)
