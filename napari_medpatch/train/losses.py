"""Losses that average over the pixels that count."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def weighted_loss(
    logits: "torch.Tensor", target: "torch.Tensor", weight: "torch.Tensor", class_weight: "torch.Tensor"
) -> "torch.Tensor":
    """Return cross entropy plus soft Dice, both over weighted pixels only.

    Pixels of weight 0 (unlabelled) have no part in numerator or denominator: multiplying logits and target
    by a mask instead would let them count as confident half-and-half predictions.

    Parameters
    ----------
    logits : Tensor
        ``(N, C, *spatial)``.
    target : Tensor
        ``(N, C, *spatial)`` float, probability of each class.
    weight : Tensor
        ``(N, *spatial)`` float, how much each pixel counts.
    class_weight : Tensor
        ``(C,)`` float, for the cross entropy.

    Returns
    -------
    Tensor
        Scalar. Dice is the mean over the classes that the targets of this batch hold.
    """
    logs = logits.float().log_softmax(dim=1)
    wanted = target * weight[:, None]
    by_class = wanted * class_weight.view(1, -1, *[1] * weight[0].ndim)
    entropy = -(by_class * logs).sum() / by_class.sum().clamp_min(1)
    found = logs.exp() * weight[:, None]
    axes = [0, *range(2, logits.ndim)]
    # found holds the weight once, so found * target is the weighted product.
    overlap = 2 * (found * target).sum(dim=axes)
    size, there = found.sum(dim=axes), wanted.sum(dim=axes)
    dice = (overlap + 1) / (size + there + 1)
    present = there > 0
    return entropy + 1 - dice[present].mean() if bool(present.any()) else entropy
