"""From a network's logits to the scores of a patch; other methods look at a patch several times."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_medpatch.models.card import ModelCard

if TYPE_CHECKING:
    import torch

Keys = npt.NDArray[np.int64]
Forward = Callable[[Any], Any]
"""Tensor of patches, ``(N, Y, X, 3) uint8`` or prepared ``(N, 3, Y, X) float32``, to logits ``(N, columns)``."""


class ScoringMethod(Protocol):
    """What becomes of a batch of patches.

    Attributes
    ----------
    columns : int
        Outputs that the network must have.
    extra_names : tuple of str
        What is stored per patch beside the class probabilities, for example ``("uncertainty",)``.
    """

    columns: int
    extra_names: tuple[str, ...]

    def __call__(self, forward: Forward, patches: "torch.Tensor", keys: Keys) -> "torch.Tensor":
        """Return ``(N, C + extras) float32``.

        Parameters
        ----------
        forward : callable
            The network.
        patches : Tensor
            On the device, as ``forward`` takes them.
        keys : ndarray
            ``(N, 2) int64``, row and column of each patch on the grid: seeds for methods that draw at random,
            so that a score depends neither on the order of patches nor on the size of batches.
        """
        ...


class PlainScores:
    """One pass: probabilities, and the attention logit of a multiple-instance model.

    Parameters
    ----------
    card : ModelCard
        The model.
    """

    def __init__(self, card: ModelCard) -> None:
        has_attention = card.task == "slide-mil"
        self.classes = card.num_classes
        self.columns = card.num_classes + has_attention
        self.extra_names: tuple[str, ...] = ("attention",) if has_attention else ()

    def __call__(self, forward: Forward, patches: "torch.Tensor", keys: Keys) -> "torch.Tensor":
        """Return probabilities, then the raw attention logit where the model has one."""
        import torch

        logits = forward(patches)
        return torch.cat([probabilities(logits[:, : self.classes]), logits[:, self.classes :]], dim=1)


def probabilities(logits: "torch.Tensor") -> "torch.Tensor":
    """Return softmax over classes, sigmoid of a single logit (QuPath's softmax of it would be 1 everywhere)."""
    return logits.softmax(dim=1) if logits.shape[1] > 1 else logits.sigmoid()
