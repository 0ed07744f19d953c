"""From a network's logits to the scores of a patch; other methods look at a patch several times."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.seeds import Keys as Keys
from napari_medpatch.io.scores import Extras
from napari_medpatch.models.card import ModelCard

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

Forward = Callable[[Any], Any]
"""Tensor of patches, ``(N, Y, X, 3) uint8`` or prepared ``(N, 3, Y, X) float32``, to logits ``(N, columns)``."""

Look = Callable[[Forward, Any, Keys], Any]
"""One way to look at a batch: the network, patches and their keys to logits ``(N, columns)``."""


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


class AveragedScores:
    """Several looks at each patch: mean probabilities and their spread.

    ``uncertainty`` is the standard deviation, over the looks, of the probability of the class that wins in
    the mean: 0 when all looks agree, at most 0.5.

    Parameters
    ----------
    card : ModelCard
        The model.
    looks : sequence of callable
        At least one.
    """

    def __init__(self, card: ModelCard, looks: Sequence[Look]) -> None:
        plain = PlainScores(card)
        self.classes, self.columns, self.looks = plain.classes, plain.columns, tuple(looks)
        self.extra_names: tuple[str, ...] = ("uncertainty", *plain.extra_names)

    def __call__(self, forward: Forward, patches: "torch.Tensor", keys: Keys) -> "torch.Tensor":
        """Return mean probabilities, uncertainty, then the mean attention logit where the model has one."""
        import torch

        logits = torch.stack([look(forward, patches, keys) for look in self.looks])
        each = torch.stack([probabilities(one[:, : self.classes]) for one in logits])
        mean = each.mean(dim=0)
        winner = mean.argmax(dim=1)[None, :, None].expand(len(each), -1, -1)
        spread = each.gather(2, winner).std(dim=0, correction=0)
        return torch.cat([mean, spread, logits[:, :, self.classes :].mean(dim=0)], dim=1)


def plain_look(forward: Forward, patches: "torch.Tensor", keys: Keys) -> "torch.Tensor":
    """Look at patches as they are."""
    logits: torch.Tensor = forward(patches)
    return logits


def check_scores(values: "npt.NDArray[np.float32]", card: ModelCard) -> None:
    """Refuse scores that are no numbers.

    Raises
    ------
    BundleError
        If one is NaN or infinite.
    """
    bad = int(np.count_nonzero(~np.isfinite(values).all(axis=1)))
    if bad:
        raise BundleError(
            f"Model {card.name} gives no number (NaN or infinity) for {bad} of {len(values)} patches; its weights "
            "are damaged, or it needs the precision float32."
        )


def split_scores(
    values: "npt.NDArray[np.float32]", classes: int, names: Sequence[str]
) -> tuple["npt.NDArray[np.float32]", Extras]:
    """Split a method's columns into ``(…, C)`` probabilities and ``(…)`` extras by name."""
    return values[..., :classes], {name: values[..., classes + i] for i, name in enumerate(names)}
