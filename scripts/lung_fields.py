"""Random fields and filters on volumes, on any device."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def white(shape: Sequence[int], rng: np.random.Generator, device: torch.device) -> Tensor:
    """Return independent normal values; ``rng`` gives the seed."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**31)))
    return torch.randn(tuple(shape), generator=generator, device=device)


def noise(shape: Sequence[int], period: float, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Return a smooth random field of about unit variance, with ``period`` voxels between independent values."""
    coarse = white([math.ceil(n / period) + 2 for n in shape], rng, device)
    size = [int(n * period) + 1 for n in coarse.shape]
    fine = functional.interpolate(coarse[None, None], size=size, mode="trilinear")[0, 0]
    return fine[tuple(slice(0, n) for n in shape)] * 1.4


def blobs(like: Tensor, rng: np.random.Generator, period: tuple[float, float], cover: tuple[float, float]) -> Tensor:
    """Return a soft mask of random blobs: sharp-edged where its noise is steep."""
    field = noise(like.shape, rng.uniform(*period), rng, like.device)
    level = torch.quantile(field[::2, ::2, ::2].flatten(), 1 - rng.uniform(*cover))
    return ((field - level) * rng.uniform(2, 8)).clamp(0, 1)


def grid(like: Tensor) -> list[Tensor]:
    """Return the index of each voxel along each axis, in a shape that broadcasts."""
    shapes = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))
    return [
        torch.arange(n, device=like.device, dtype=torch.float32).view(s)
        for n, s in zip(like.shape, shapes, strict=True)
    ]


def blurred(volume: Tensor, sigma: float, axes: Sequence[int] = (0, 1, 2)) -> Tensor:
    """Smooth by a Gaussian of ``sigma`` voxels."""
    reach = max(1, math.ceil(3 * sigma))
    places = torch.arange(-reach, reach + 1, device=volume.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (places / sigma) ** 2)
    return _along(volume, kernel / kernel.sum(), axes)


def uniform(volume: Tensor, size: int, axis: int) -> Tensor:
    """Average ``size`` neighbours along an axis."""
    return _along(volume, torch.full((size,), 1 / size, device=volume.device), [axis])


def _along(volume: Tensor, kernel: Tensor, axes: Sequence[int]) -> Tensor:
    for axis in axes:
        lines = volume.movedim(axis, -1)
        before = (len(kernel) - 1) // 2
        padded = functional.pad(lines.reshape(-1, 1, lines.shape[-1]), (before, len(kernel) - 1 - before), "replicate")
        smooth = functional.conv1d(padded, kernel.view(1, 1, -1)).view(lines.shape)
        volume = smooth.movedim(-1, axis)
    return volume
