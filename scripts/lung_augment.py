"""Make one training patch look like any scanner, protocol and disease (domain randomisation), on any device.

Tobin et al., *Domain randomization*, IROS 2017 (arXiv 1703.06907); Billot et al., *SynthSeg*, Medical Image
Analysis 2023, for the idea that a network trained on wildly varied images meets real ones as one more variety.
"""

import numpy as np
import torch
from lung_diseases import DISEASES
from lung_fields import blurred, noise, uniform, white
from numpy.typing import NDArray
from torch import Tensor

Shape = tuple[int, int, int]
PATCHES: tuple[Shape, ...] = ((40, 64, 72), (64, 80, 96))
"""A part of a chest, and nearly all of it: multiples of 8, for four levels."""


def random_patch(hu: Tensor, share: Tensor, shape: Shape, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return a patch of HU and of the share of lung, both changed at random.

    Parameters
    ----------
    hu, share : Tensor
        ``(Z, Y, X)`` of a whole scan at the working resolution; the patch is made on their device.
    shape : tuple of int
        Of the patch.
    rng : numpy.random.Generator
        Of every choice.
    """
    hu, share = _deformed(hu, share, shape, rng)
    for change, chance in DISEASES:
        if rng.random() < chance:
            hu, share = change(hu, share, rng)
    hu = _scanner(_tissue(hu, share, rng), rng)
    return _field_of_view(hu, share, rng)


def _deformed(hu: Tensor, share: Tensor, shape: Shape, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Turn, scale, bend and crop; beyond the volume's end there is air, as at a scan's end."""
    size, room = np.array(shape), np.array(hu.shape)
    low, high = np.minimum(size / 2 - 12, room / 2), np.maximum(room - size / 2 + 12, room / 2)
    centre = rng.uniform(low, high)
    matrix = _rotation(rng, 0.12) * rng.uniform(0.8, 1.3) * rng.uniform(0.92, 1.08, 3)
    matrix = matrix * np.array([1, -1 if rng.random() < 0.08 else 1, -1 if rng.random() < 0.5 else 1])
    axes = [torch.arange(n, device=hu.device, dtype=torch.float32) - n / 2 for n in shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    turn = torch.from_numpy(matrix.astype(np.float32)).to(hu.device)
    places = torch.einsum("ij,j...->i...", turn, grid)
    bend = rng.uniform(0, 2.0)
    # grid_sample wants (x, y, z) from -1 at the first voxel to 1 at the last.
    parts = [
        (places[axis] + float(centre[axis]) + bend * noise(shape, 16, rng, hu.device)) * (2 / (hu.shape[axis] - 1)) - 1
        for axis in (2, 1, 0)
    ]
    both = torch.stack([hu.float() + 1000, share.float()])[None]
    found = torch.nn.functional.grid_sample(both, torch.stack(parts, dim=-1)[None], align_corners=True)[0]
    return found[0] - 1000, found[1]


def _rotation(rng: np.random.Generator, spread: float) -> NDArray[np.float64]:
    matrix = np.eye(3)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        angle, turn = rng.normal(0, spread), np.eye(3)
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def _tissue(hu: Tensor, share: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift and scale lung and the rest apart: other inflation, other contrast phase."""
    air = share * (hu < -400)
    hu = hu + air * rng.uniform(-80, 150) * (1 + 0.3 * noise(hu.shape, 20, rng, hu.device))
    dense = ((hu + 300) / 300).clamp(0, 1)
    return hu + dense * (rng.uniform(-25, 25) + (rng.uniform(0.7, 1.5) - 1) * hu.clamp(-200, 1500))


def _scanner(hu: Tensor, rng: np.random.Generator) -> Tensor:
    """Blur by kernel and slice thickness, or sharpen, then add noise and streaks."""
    hu = hu.clamp_min(-1024)
    kind = rng.random()
    if kind < 0.4:
        hu = blurred(hu, rng.uniform(0.2, 0.8))
    elif kind < 0.6:
        hu = hu + rng.uniform(0.2, 1.0) * (hu - blurred(hu, 0.8))
    if rng.random() < 0.3:
        hu = uniform(hu, int(rng.integers(2, 4)), axis=0)
    sigma = float(rng.choice([rng.uniform(0, 15), rng.uniform(10, 90)]))
    grain = white(hu.shape, rng, hu.device)
    if rng.random() < 0.5:
        grain = blurred(grain, rng.uniform(0.3, 1.0), axes=[int(rng.integers(0, 3))])
    hu = hu + grain * (sigma / grain.std())
    if rng.random() < 0.1:
        rows = blurred(white((hu.shape[0], hu.shape[1], 1), rng, hu.device), 0.7, axes=[1])
        hu = hu + rows * rng.uniform(20, 90)
    return hu + (rng.uniform(-20, 20) if rng.random() < 0.8 else rng.uniform(-80, 80))


def _field_of_view(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cut to a circle, or at planes, and fill with what scanners and converters put there."""
    outside = torch.zeros(hu.shape, dtype=torch.bool, device=hu.device)
    if rng.random() < 0.2:
        y, x = (torch.arange(n, device=hu.device) - n / 2 - rng.normal(0, 8) for n in hu.shape[1:])
        outside |= torch.hypot(y[:, None], x[None]) > rng.uniform(26, 50)
    narrow = rng.random() < 0.15
    for axis, end in np.ndindex(3, 2):
        if rng.random() < (0.5 if narrow else 0.08):
            cut = int(rng.integers(2, hu.shape[axis] // (4 if narrow else 3)))
            _ends(outside, axis, cut, last=end == 1)
    filling = float(rng.choice([-1000, -1024, -2000, -3024, 0], p=[0.3, 0.4, 0.13, 0.13, 0.04]))
    return torch.where(outside, filling, hu), torch.where(outside, 0.0, share)


def _ends(outside: Tensor, axis: int, cut: int, *, last: bool) -> None:
    start = outside.shape[axis] - cut if last else 0
    outside.narrow(axis, start, cut).fill_(True)
