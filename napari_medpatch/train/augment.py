"""Cheap changes of a patch that leave its labels right."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def flip_axes(dimensions: int, class_names: Sequence[str]) -> tuple[int, ...]:
    """Return the spatial axes along which patches may be mirrored.

    A volume with several classes is never mirrored, since they may be left and right or upper and lower
    parts of an organ; nor is a picture whose classes are named so.
    """
    if dimensions == 3 and len(class_names) > 2:
        return ()
    sides = ("left", "right", "upper", "lower", "nasal", "temporal")
    if any(side in name.lower() for name in class_names for side in sides):
        return ()
    return tuple(range(dimensions))


def mirror(
    tensors: Sequence["torch.Tensor"], axes: Sequence[int], generator: "np.random.Generator"
) -> list["torch.Tensor"]:
    """Mirror tensors alike along a random choice of axes.

    Parameters
    ----------
    tensors : sequence of Tensor
        ``(..., *spatial)`` with as many spatial axes as the last one has axes.
    axes : sequence of int
        Spatial axes that may be mirrored.
    generator : numpy.random.Generator
        Of the choice.
    """
    spatial = tensors[-1].ndim
    chosen = [axis - spatial for axis in axes if generator.random() < 0.5]
    return [tensor.flip(chosen) if chosen else tensor for tensor in tensors]


def jitter(inputs: "torch.Tensor", generator: "np.random.Generator", strength: float = 0.1) -> "torch.Tensor":
    """Return network input ``(C, *spatial)`` with each channel's gain and offset changed a little."""
    import torch

    shape = (len(inputs),) + (1,) * (inputs.ndim - 1)
    gain = generator.uniform(1 - strength, 1 + strength, shape)
    offset = generator.uniform(-strength / 2, strength / 2, shape)
    return inputs * torch.as_tensor(gain, dtype=inputs.dtype) + torch.as_tensor(offset, dtype=inputs.dtype)
