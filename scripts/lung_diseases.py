"""What makes a lung hard to find, painted onto a patch of HU and of the share of lung."""

from collections.abc import Callable

import numpy as np
import torch
from lung_cases import SPACING_MM
from lung_fields import blobs, grid, noise
from torch import Tensor

Change = Callable[[Tensor, Tensor, np.random.Generator], tuple[Tensor, Tensor]]


def _blend(hu: Tensor, share: Tensor, value: "float | Tensor") -> Tensor:
    return hu + share * (value - hu)


def _dense(hu: Tensor, rng: np.random.Generator) -> Tensor:
    """Return HU of lung without air: from soft clots to tissue with contrast."""
    return rng.uniform(-150, 100) + 28 * noise(hu.shape, 2, rng, hu.device)


def _with_airways(parts: Tensor, rng: np.random.Generator) -> Tensor:
    """Leave open airways in a filled part, in most cases."""
    open_share = rng.uniform(0.3, 0.9) if rng.random() < 0.7 else 0.0
    return parts * (1 - open_share * blobs(parts, rng, (1.5, 4), (0.02, 0.2)))


def _emphysema(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    holes = blobs(hu, rng, (2, 10), (0.1, 0.9)) * (hu < -700)
    return _blend(hu, share * holes, rng.uniform(-1000, -940)), share


def _consolidation(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Fill parts of the lung with fluid-dense tissue and air bronchograms; they stay lung."""
    parts = _with_airways(blobs(hu, rng, (5, 16), (0.03, 0.45)), rng)
    return _blend(hu, share * parts, _dense(hu, rng)), share


def _lobe(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Fill the lung on one side of a bent plane, as in lobar pneumonia; it stays lung."""
    normal = rng.normal(0, 1, 3)
    normal /= np.linalg.norm(normal)
    place = _somewhere(share > 0.5, rng)
    if place is None:
        return hu, share
    side = sum((g - p) * float(n) for g, p, n in zip(grid(hu), place, normal, strict=True))
    side = side + 2 * noise(hu.shape, 12, rng, hu.device)
    parts = _with_airways((side * rng.uniform(0.3, 2)).clamp(0, 1), rng)
    return _blend(hu, share * parts, _dense(hu, rng)), share


def _dependent(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Let the lung grow denser towards the back, where it lies lowest, as in atelectasis and ARDS; it stays lung."""
    height = _height(hu, share, rng, rng.uniform(0.35, 0.95), 20)
    if height is None:
        return hu, share
    parts = _with_airways((height / rng.uniform(1, 12)).clamp(0, 1), rng)
    return _blend(hu, share * parts, _dense(hu, rng)), share


def _haze(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    parts = blobs(hu, rng, (3, 16), (0.1, 0.9)) * rng.uniform(0.2, 0.75)
    return _blend(hu, share * parts, rng.uniform(-200, 50)), share


def _scars(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Fine, strong texture as in fibrosis."""
    parts = blobs(hu, rng, (8, 20), (0.1, 0.7))
    value = rng.uniform(-700, -350) + rng.uniform(100, 300) * noise(hu.shape, rng.uniform(1, 2.5), rng, hu.device)
    return _blend(hu, share * parts, value.clamp(-1000, 100)), share


def _effusion(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Let fluid fill the lowest part of the lung; it is no longer lung."""
    height = _height(hu, share, rng, rng.uniform(0.55, 0.95), 25)
    if height is None:
        return hu, share
    fluid = height.clamp(0, 1) * share
    return _blend(hu, fluid, rng.uniform(-5, 30)), share - fluid


def _pneumothorax(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Let air without any vessel fill the front of the chest; it is no longer lung."""
    height = _height(hu, share, rng, rng.uniform(0.05, 0.4), 25)
    if height is None:
        return hu, share
    air = (-height).clamp(0, 1) * share
    return _blend(hu, air, -1000.0), share - air


def _masses(hu: Tensor, share: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Put tumours of 1 to 8 cm into the lung, often against its wall; they stay lung."""
    wanted = (share > 0.3) & (share < 0.9) if rng.random() < 0.6 else share > 0.9
    for _ in range(int(rng.integers(1, 4))):
        place = _somewhere(wanted, rng)
        if place is None:
            break
        radius = rng.uniform(6, 40) / SPACING_MM
        distance = torch.sqrt(sum(((g - p) ** 2 for g, p in zip(grid(hu), place, strict=True)), torch.zeros_like(hu)))
        lump = (radius - distance + noise(hu.shape, 4, rng, hu.device)).clamp(0, 1)
        hu = _blend(hu, lump * share, rng.uniform(-20, 110))
    return hu, share


def _somewhere(wanted: Tensor, rng: np.random.Generator) -> list[int] | None:
    """Return a random voxel of a mask, None if it is empty."""
    places = wanted.nonzero()
    return [int(n) for n in places[int(rng.integers(len(places)))]] if len(places) else None


def _height(hu: Tensor, share: Tensor, rng: np.random.Generator, part: float, period: float) -> Tensor | None:
    """Return how far each voxel lies below a bent level, at ``part`` of the lung from the front; None without lung."""
    rows = (share.amax((0, 2)) > 0.5).nonzero().flatten().float()
    if not len(rows):
        return None
    return grid(hu)[1] + 3 * noise(hu.shape, period, rng, hu.device) - torch.quantile(rows, part)


DISEASES: tuple[tuple[Change, float], ...] = (
    (_emphysema, 0.2), (_consolidation, 0.35), (_lobe, 0.25), (_dependent, 0.15), (_haze, 0.25), (_scars, 0.2),
    (_effusion, 0.12), (_masses, 0.3), (_pneumothorax, 0.04),
)  # fmt: skip
"""Each change and how often it is made."""
