"""Make one training patch look like any scanner, protocol and disease (domain randomisation).

Tobin et al., *Domain randomization*, IROS 2017 (arXiv 1703.06907); Billot et al., *SynthSeg*, Medical Image
Analysis 2023, for the idea that a network trained on wildly varied images meets real ones as one more variety.
"""

import numpy as np
from lung_cases import SPACING_MM, Case
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates, uniform_filter1d

from napari_medpatch.samples.shapes import Field, smooth_noise

PATCH = (40, 64, 72)


def random_patch(case: Case, rng: np.random.Generator) -> tuple[Field, Field]:
    """Return a patch ``PATCH`` of HU and of the share of lung, both changed at random."""
    hu, share = _deformed_patch(case, rng)
    for change, chance in (
        (_emphysema, 0.2), (_consolidation, 0.4), (_lobe, 0.25), (_haze, 0.25), (_scars, 0.2), (_effusion, 0.12),
        (_masses, 0.3),
    ):  # fmt: skip
        if rng.random() < chance:
            hu, share = change(hu, share, rng)
    hu = _scanner(_tissue(hu, share, rng), rng)
    return _field_of_view(hu, share, rng)


def _deformed_patch(case: Case, rng: np.random.Generator) -> tuple[Field, Field]:
    """Turn, scale, bend and crop; beyond the volume's end there is air, as at a scan's end."""
    size = np.array(PATCH)
    room = np.array(case.hu.shape)
    low, high = np.minimum(size / 2 - 12, room / 2), np.maximum(room - size / 2 + 12, room / 2)
    centre = rng.uniform(low, high)
    matrix = _rotation(rng, 0.12) * rng.uniform(0.8, 1.3)
    matrix = matrix * rng.uniform(0.92, 1.08, 3)
    grid = np.stack(np.meshgrid(*(np.arange(n) - n / 2 for n in PATCH), indexing="ij"))
    if rng.random() < 0.5:
        grid[2] *= -1
    if rng.random() < 0.08:
        grid[1] *= -1
    places = np.einsum("ij,j...->i...", matrix, grid) + centre[:, None, None, None]
    bend = rng.uniform(0, 2.0)
    places += np.stack([smooth_noise(PATCH, 16, rng) * bend for _ in range(3)])
    hu = map_coordinates(case.hu.astype(np.float32), places, order=1, cval=-1000.0)
    share = map_coordinates(case.share.astype(np.float32), places, order=1, cval=0.0)
    return hu.astype(np.float32), share.astype(np.float32)


def _rotation(rng: np.random.Generator, spread: float) -> NDArray[np.float64]:
    matrix = np.eye(3)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        angle, turn = rng.normal(0, spread), np.eye(3)
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def _blend(hu: Field, share: Field, value: "float | Field") -> Field:
    return hu + share * (np.asarray(value, np.float32) - hu)


def _blobs(rng: np.random.Generator, period: tuple[float, float], cover: tuple[float, float]) -> Field:
    """Return a soft mask of random blobs: sharp-edged where its noise is steep."""
    field = smooth_noise(PATCH, rng.uniform(*period), rng)
    level = np.quantile(field, 1 - rng.uniform(*cover))
    return np.clip((field - level) * rng.uniform(2, 8), 0, 1)


def _emphysema(hu: Field, share: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    holes = _blobs(rng, (2, 10), (0.1, 0.9)) * (hu < -700)
    return _blend(hu, share * holes, rng.uniform(-1000, -940)), share


def _consolidation(hu: Field, share: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """Fill parts of the lung with fluid-dense tissue and air bronchograms; they stay lung."""
    parts = _blobs(rng, (5, 16), (0.03, 0.3))
    value = rng.uniform(-150, 70) + 30 * smooth_noise(PATCH, 2, rng)
    if rng.random() < 0.5:
        parts = parts * (1 - 0.8 * _blobs(rng, (1.5, 3), (0.05, 0.2)))
    return _blend(hu, share * parts, value), share


def _lobe(hu: Field, share: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """Fill the lung on one side of a bent plane, as in lobar pneumonia; it stays lung, with open airways."""
    normal = rng.normal(0, 1, 3)
    normal /= np.linalg.norm(normal)
    inside = np.argwhere(share > 0.5)
    if not len(inside):
        return hu, share
    place = inside[rng.integers(len(inside))]
    grid = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in PATCH), indexing="ij")
    side = sum((g - p) * n for g, p, n in zip(grid, place, normal, strict=True)) + 2 * smooth_noise(PATCH, 12, rng)
    parts = np.clip(side * rng.uniform(0.3, 2), 0, 1).astype(np.float32)
    parts = parts * (1 - rng.uniform(0.3, 0.9) * _blobs(rng, (1.5, 4), (0.02, 0.2)))
    return _blend(hu, share * parts, rng.uniform(-120, 70) + 25 * smooth_noise(PATCH, 2, rng)), share


def _haze(hu: Field, share: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    parts = _blobs(rng, (3, 16), (0.1, 0.9)) * rng.uniform(0.2, 0.75)
    return _blend(hu, share * parts, rng.uniform(-200, 50)), share


def _scars(hu: Field, share: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """Fine, strong texture as in fibrosis."""
    parts = _blobs(rng, (8, 20), (0.1, 0.7))
    value = rng.uniform(-700, -350) + rng.uniform(100, 300) * smooth_noise(PATCH, rng.uniform(1, 2.5), rng)
    return _blend(hu, share * parts, np.clip(value, -1000, 100)), share


def _effusion(hu: Field, share: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """Let fluid fill the lowest part of the lung; it is no longer lung."""
    rows = np.nonzero(share.max((0, 2)) > 0.5)[0]
    if not len(rows):
        return hu, share
    level = np.quantile(rows, rng.uniform(0.55, 0.95))
    height = np.arange(PATCH[1], dtype=np.float32)[None, :, None] + smooth_noise(PATCH, 25, rng) * 3
    fluid = np.clip(height - level, 0, 1) * share
    return _blend(hu, fluid, rng.uniform(-5, 35)), share - fluid


def _masses(hu: Field, share: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """Put tumours of 1 to 8 cm into the lung, often against its wall; they stay lung."""
    places = np.argwhere((share > 0.3) & (share < 0.9) if rng.random() < 0.6 else share > 0.9)
    if not len(places):
        return hu, share
    grid = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in PATCH), indexing="ij")
    for place in places[rng.integers(0, len(places), rng.integers(1, 4))]:
        radius = rng.uniform(6, 40) / SPACING_MM
        distance = np.sqrt(sum((g - p) ** 2 for g, p in zip(grid, place, strict=True)))
        lump = np.clip(radius - distance + smooth_noise(PATCH, 4, rng), 0, 1)
        hu = _blend(hu, lump * share, rng.uniform(-20, 110))
    return hu, share


def _tissue(hu: Field, share: Field, rng: np.random.Generator) -> Field:
    """Shift and scale lung and the rest apart: other inflation, other contrast phase."""
    air = share * (hu < -400)
    hu = hu + air * np.float32(rng.uniform(-80, 150)) * (1 + 0.3 * smooth_noise(PATCH, 20, rng))
    dense = np.clip((hu + 300) / 300, 0, 1)
    return hu + dense * (rng.uniform(-25, 25) + (rng.uniform(0.7, 1.5) - 1) * np.clip(hu, -200, 1500))


def _scanner(hu: Field, rng: np.random.Generator) -> Field:
    """Blur by kernel and slice thickness, or sharpen, then add noise and streaks."""
    hu = np.maximum(hu, np.float32(-1024))
    kind = rng.random()
    if kind < 0.4:
        hu = gaussian_filter(hu, rng.uniform(0.2, 0.8))
    elif kind < 0.6:
        hu = hu + rng.uniform(0.2, 1.0) * (hu - gaussian_filter(hu, 0.8))
    if rng.random() < 0.3:
        hu = uniform_filter1d(hu, int(rng.integers(2, 4)), axis=0)
    sigma = rng.choice([rng.uniform(0, 15), rng.uniform(10, 90)])
    noise = rng.standard_normal(PATCH, dtype=np.float32)
    if rng.random() < 0.5:
        noise = gaussian_filter1d(noise, rng.uniform(0.3, 1.0), axis=int(rng.integers(0, 3)))
    hu = hu + noise * np.float32(sigma / noise.std())
    if rng.random() < 0.1:
        rows = gaussian_filter1d(rng.standard_normal((PATCH[0], PATCH[1], 1), dtype=np.float32), 0.7, axis=1)
        hu = hu + rows * np.float32(rng.uniform(20, 90))
    return hu + np.float32(rng.uniform(-20, 20))


def _field_of_view(hu: Field, share: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """Cut to a circle, or at planes, and fill with what scanners and converters put there."""
    filling = float(rng.choice([-1000, -1024, -2000, -3024, 0], p=[0.3, 0.4, 0.13, 0.13, 0.04]))
    if rng.random() < 0.2:
        y, x = np.meshgrid(np.arange(PATCH[1]), np.arange(PATCH[2]), indexing="ij")
        middle = np.array([PATCH[1], PATCH[2]]) / 2 + rng.normal(0, 8, 2)
        outside = np.hypot(y - middle[0], x - middle[1]) > rng.uniform(26, 50)
        hu, share = np.where(outside, filling, hu), np.where(outside, 0, share)
    for axis in range(3):
        if rng.random() < 0.15:
            cut = int(rng.integers(2, PATCH[axis] // 3))
            part = [slice(None)] * 3
            part[axis] = slice(0, cut) if rng.random() < 0.5 else slice(-cut, None)
            hu[tuple(part)], share[tuple(part)] = filling, 0
    return np.asarray(hu, np.float32), np.asarray(share, np.float32)
