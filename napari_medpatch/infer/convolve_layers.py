"""Convolutions of a few rows, by the library that is fastest at them; needs torch when imported."""

import torch
import torch.nn.functional as F

from napari_medpatch.infer.folded_layers import Kernel
from napari_medpatch.infer.precision import native_bfloat16

_FEW_CHANNELS = 4


def convolve(x: torch.Tensor, kernel: Kernel, margin: int) -> torch.Tensor:
    """Convolve without padding along rows, with zeros beyond the other axes.

    Parameters
    ----------
    x : Tensor
        ``(N, C, rows, *plane)``.
    kernel : Kernel
        Weights.
    margin : int
        Half the kernel's edge: zeros around the plane, and rows that the result lacks at both ends.
    """
    if x.ndim == 5 and margin and x.shape[1] <= _FEW_CHANNELS:
        return _convolve_few(x, kernel)
    padding, ones = (0, *(margin,) * (x.ndim - 3)), (1,) * (x.ndim - 2)
    if _has_onednn(x):
        # torch itself would take its own code for few rows, which is up to ten times slower.
        result: torch.Tensor = torch.mkldnn_convolution(x, kernel.weight, kernel.bias, padding, ones, ones, 1)
        return result
    return (F.conv3d if x.ndim == 5 else F.conv2d)(x, kernel.weight, kernel.bias, padding=padding)


def _has_onednn(x: torch.Tensor) -> bool:
    """Whether oneDNN convolves tensors like this one, autocast left aside."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and not torch.is_autocast_enabled("cpu")
    ) or (x.dtype == torch.bfloat16 and x.device.type == "cpu" and native_bfloat16(x.device))


def _convolve_few(x: torch.Tensor, kernel: Kernel) -> torch.Tensor:
    """Convolve an input of few channels as slices whose channels are those of three rows.

    oneDNN is slow at 3D convolutions of one channel: on AVX-512 this takes a third of the time.
    """
    batch, rows = x.shape[0], x.shape[2]
    last = x.movedim(1, -1)
    slices = torch.cat([last[:, k : k + rows - 2] for k in range(3)], dim=-1).flatten(0, 1).permute(0, 3, 1, 2)
    weight = kernel.weight.movedim(2, 1).flatten(1, 2).contiguous(memory_format=torch.channels_last)
    flat = F.conv2d(slices, weight, kernel.bias, padding=1)
    return flat.reshape(batch, rows - 2, *flat.shape[1:]).movedim(1, 2)
