"""A U-Net's forward pass in small steps; needs torch when it is imported.

On a processor one convolution of a whole volume takes seconds, during which nobody could stop the job.
Here a step takes a fraction of a second. The result equals ``UNet.forward``'s to rounding.
"""

import math
from collections.abc import Generator

import torch

from napari_medpatch.infer.folded_layers import FoldedUNet, fold
from napari_medpatch.infer.stream_layers import UNetStream
from napari_medpatch.infer.sweep import chunk_rows
from napari_medpatch.models.unet_layers import UNet

Steps = Generator[float, None, torch.Tensor]


def unet_steps(model: UNet, x: torch.Tensor, macs: float) -> Steps:
    """Run a U-Net in evaluation mode.

    Parameters
    ----------
    model : UNet
        In evaluation mode.
    x : Tensor
        ``(N, C, *spatial)``, edges multiples of ``model.config.multiple``.
    macs : float
        Multiplications that one step may take.

    Yields
    ------
    float
        Multiplications done by the step.

    Returns
    -------
    Tensor
        Logits ``(N, num_classes, *spatial)``, float32.
    """
    return folded_steps(fold(model, x.dtype), x, macs)


def folded_steps(weights: FoldedUNet, x: torch.Tensor, macs: float) -> Steps:
    """Run a U-Net whose weights are folded already; see :func:`unet_steps`."""
    size, *plane = x.shape[2:]
    chunk = chunk_rows(size, len(x) * math.prod(plane))
    x = x.to(weights.head.weight.dtype)
    stream = UNetStream(weights, lambda a, b: x[:, :, a:b], size, plane, chunk=chunk, macs=macs)
    return (yield from stream.rows(0, size))
