"""Grad-CAM on tensors (Selvaraju et al., ICCV 2017); needs torch when it is imported."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

_MOST_EXTRA_TOKENS = 8
"""Class, distillation and register tokens that may stand before those of the patches."""


class Cut(Protocol):
    """A classifier opened at one layer.

    Attributes
    ----------
    layer : str
        Its name.
    """

    layer: str

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the layer's activation, a leaf that takes gradients, and the logits computed from it.

        Parameters
        ----------
        batch : Tensor
            ``(N, 3, Y, X) float32``, prepared.
        """
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the positions of an activation are.

    Parameters
    ----------
    kind : str
        ``"NCHW"``, ``"NHWC"`` or ``"tokens"`` (``(N, T, C)``).
    extra : int
        Tokens before those of the image's patches.
    rows, cols : int
        Positions.
    """

    kind: str
    extra: int
    rows: int
    cols: int


def layout_of(shape: Sequence[int], batch: Sequence[int]) -> Layout | None:
    """Recognise an activation with positions, None for anything else (pooled features, attention).

    Parameters
    ----------
    shape : sequence of int
        Of the activation.
    batch : sequence of int
        ``(N, 3, Y, X)`` of the input it was computed from.
    """
    if not shape or shape[0] != batch[0]:
        return None
    height, width = batch[-2:]
    if len(shape) == 4:
        if _is_shrunk(shape[2], shape[3], height, width):
            return Layout("NCHW", 0, shape[2], shape[3])
        if _is_shrunk(shape[1], shape[2], height, width):
            return Layout("NHWC", 0, shape[1], shape[2])
    if len(shape) == 3:
        for extra in range(_MOST_EXTRA_TOKENS + 1):
            rows = math.isqrt(max(0, shape[1] - extra) * height // width)
            if rows and (shape[1] - extra) % rows == 0:
                cols = (shape[1] - extra) // rows
                if _is_shrunk(rows, cols, height, width):
                    return Layout("tokens", extra, rows, cols)
    return None


def positions(activation: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Return an activation as ``(N, C, rows, cols)``, without extra tokens."""
    if layout.kind == "NCHW":
        return activation
    if layout.kind == "tokens":
        activation = activation[:, layout.extra :].reshape(len(activation), layout.rows, layout.cols, -1)
    return activation.permute(0, 3, 1, 2)


def grad_cam(
    cut: Cut, batch: torch.Tensor, classes: int, class_index: int | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return raw maps, logits and the explained classes.

    Parameters
    ----------
    cut : Cut
        The classifier.
    batch : Tensor
        ``(N, 3, Y, X) float32``, prepared.
    classes : int
        Columns of the output that are classes; a multiple-instance model has one more.
    class_index : int, optional
        Which class to explain; each patch's most probable one by default.

    Returns
    -------
    tuple of Tensor
        ``(N, rows, cols) float32``, not negative, on the scale of the logit; ``(N, classes)``; ``(N,) int64``.
    """
    with torch.enable_grad():
        activation, output = cut(batch)
        logits = output[:, :classes]
        chosen = logits.argmax(1) if class_index is None else torch.full_like(logits[:, 0], class_index).long()
        score = logits.gather(1, chosen[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, activation)
    layout = layout_of(activation.shape, batch.shape)
    if layout is None:
        raise ValueError(f"layer {cut.layer} gives {tuple(activation.shape)}, which has no positions")
    values, slopes = (positions(t.detach().float(), layout) for t in (activation, gradient))
    weights = slopes.mean(dim=(2, 3), keepdim=True)
    return F.relu((weights * values).sum(dim=1)), logits.detach(), chosen


def enlarge(maps: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Interpolate ``(N, rows, cols)`` bilinearly to ``(N, Y, X)``."""
    return F.interpolate(maps[:, None], size=shape, mode="bilinear", align_corners=False)[:, 0]


def _is_shrunk(rows: int, cols: int, height: int, width: int) -> bool:
    """Whether a grid has the proportions of the input and more than one position."""
    return max(rows, cols) > 1 and abs(rows * width - cols * height) < max(height, width)
