"""Slices of a volume as the batch of a 2D network."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


def slices_to_batch(batch: npt.NDArray[Any], axis: int | None) -> npt.NDArray[Any]:
    """Return ``(N * S, C, *plane)`` of ``(N, C, *spatial)`` whose spatial axis ``axis`` has S slices; as is if None."""
    if axis is None:
        return batch
    moved = np.moveaxis(batch, axis + 2, 1)
    return moved.reshape(-1, *moved.shape[2:])


def batch_to_slices(outputs: "torch.Tensor", count: int, axis: int | None) -> "torch.Tensor":
    """Return ``(N, K, *spatial)`` of ``(N * S, K, *plane)``; ``count`` is N."""
    if axis is None:
        return outputs
    return outputs.reshape(count, -1, *outputs.shape[1:]).movedim(1, axis + 2)
