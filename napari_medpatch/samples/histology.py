"""Simulated H&E tissue: textures that repeat seamlessly, as amounts of two dyes.

The light that passes follows Beer and Lambert with the dyes' absorption (Ruifrok & Johnston, *Quantification
of histochemical staining by color deconvolution*, 2001).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.samples.shapes import Field

Dyes = NDArray[np.float32]
_HAEMATOXYLIN = (0.65, 0.70, 0.29)
_EOSIN = (0.07, 0.99, 0.11)


@dataclass(frozen=True, slots=True)
class Stain:
    """Optical density of the two dyes per channel, their strength, and the glass.

    Parameters
    ----------
    absorption : (2, 3) float32
        Rows haematoxylin and eosin, columns red, green and blue.
    glass : (3,) float32
        RGB of empty glass.
    """

    absorption: NDArray[np.float32]
    glass: NDArray[np.float32]

    def colour(self, dyes: Dyes) -> NDArray[np.uint8]:
        """Return ``(Y, X, 3)`` uint8 RGB for amounts ``(Y, X, 2)`` of haematoxylin and eosin."""
        light = self.glass * np.exp(-dyes @ self.absorption)
        rgb: NDArray[np.uint8] = np.clip(light, 0, 255).astype(np.uint8)
        return rgb


def draw_stain(rng: np.random.Generator, variation: float = 1.0) -> Stain:
    """Draw a laboratory's stain: another balance, hue and strength.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    variation : float
        0 gives the textbook stain, 1 what laboratories differ by.
    """
    base = np.array([_HAEMATOXYLIN, _EOSIN])
    turned = np.clip(base + variation * rng.normal(0, 0.07, (2, 3)), 0.02, 1.2)
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    strength = np.array([1.3, 0.65]) * np.exp(variation * rng.normal(0, 0.22, 2))
    glass = 243 + variation * rng.uniform(-8, 6, 3)
    return Stain((turned * strength[:, None]).astype(np.float32), glass.astype(np.float32))


def periodic_noise(side: int, period: tuple[float, float], rng: np.random.Generator) -> Field:
    """Return smooth noise of unit variance that repeats after ``side`` pixels; ``period`` is (y, x) in pixels."""
    from scipy.ndimage import gaussian_filter

    noise = rng.standard_normal((side, side), dtype=np.float32)
    smooth = gaussian_filter(noise, [p / 2.5 for p in period], mode="wrap")
    field: Field = smooth / max(float(smooth.std()), 1e-6)
    return field


def texture(kind: str, side: int, mpp: float, rng: np.random.Generator) -> Dyes:
    """Return a square of tissue that repeats seamlessly.

    Parameters
    ----------
    kind : str
        One of :data:`TISSUES`.
    side : int
        Pixels.
    mpp : float
        Micrometres per pixel.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (side, side, 2) float32
        Haematoxylin and eosin.
    """
    dyes = np.zeros((side, side, 2), np.float32)
    TISSUES[kind](dyes, mpp, rng)
    grain = 1 + 0.08 * periodic_noise(side, (1.5 / mpp, 1.5 / mpp), rng)
    return np.maximum(dyes * grain[..., None], 0)


def _stroma(dyes: Dyes, mpp: float, rng: np.random.Generator) -> None:
    """Pink fibres with sparse, slender nuclei."""
    side = len(dyes)
    lean = rng.uniform(2, 6)
    fibres = periodic_noise(side, (2.0 / mpp, 2.0 * lean / mpp), rng)
    dyes[..., 1] = np.clip(0.75 + 0.25 * fibres + 0.15 * periodic_noise(side, (30 / mpp,) * 2, rng), 0.1, 2)
    dyes[..., 0] = 0.08
    _scatter(dyes, mpp, rng, spacing_um=rng.uniform(16, 30), radius_um=2.2, slender=rng.uniform(1.8, 3), depth=0.75)


def _glands(dyes: Dyes, mpp: float, rng: np.random.Generator) -> None:
    """Rings of even nuclei around empty lumens, in stroma."""
    _stroma(dyes, mpp, rng)
    side = len(dyes)
    for y, x in _places(side, rng.uniform(60, 100) / mpp, rng, jitter=0.15):
        radius = rng.uniform(16, 32) / mpp
        ring = radius + 8 / mpp
        rows, columns, away = _disc(side, y, x, ring * 1.15)
        cells = np.clip((ring - away) * mpp / 2, 0, 1)[..., None]
        lumen = np.clip((radius * 0.72 - away) * mpp / 2, 0, 1)[..., None]
        patch = dyes[np.ix_(rows, columns)]
        patch += cells * (np.array([0.25, 0.55], np.float32) - patch)
        dyes[np.ix_(rows, columns)] = patch * (1 - lumen)
        for angle in np.arange(0, 2 * np.pi, 6.5 / mpp / radius):
            place = (y + radius * np.sin(angle), x + radius * np.cos(angle))
            _nucleus(dyes, place, 2.7 / mpp * rng.uniform(0.85, 1.15), rng.uniform(1.1, 1.6), angle, 0.8, rng)


def _fat(dyes: Dyes, mpp: float, rng: np.random.Generator) -> None:
    """Empty bubbles with thin walls."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    side = len(dyes)
    seeds = np.ones((3 * side, 3 * side), bool)
    for y, x in _places(side, 55 / mpp, rng, jitter=0.35):
        for row in (y, y + side, y + 2 * side):
            for column in (x, x + side, x + 2 * side):
                seeds[int(row) % (3 * side), int(column) % (3 * side)] = False
    nearest = distance_transform_edt(seeds, return_distances=False, return_indices=True)
    middle = slice(side, 2 * side)
    owner = nearest[0][middle, middle] * (3 * side) + nearest[1][middle, middle]
    wall = (owner != np.roll(owner, 1, 0)) | (owner != np.roll(owner, 1, 1))
    dyes[..., 1] = np.clip(gaussian_filter(wall.astype(np.float32), 0.8 / mpp, mode="wrap") * 2.2 / mpp**0.5, 0, 0.9)
    _scatter(dyes, mpp, rng, spacing_um=70, radius_um=2.2, slender=2.0, depth=0.7)


def _lymphocytes(dyes: Dyes, mpp: float, rng: np.random.Generator) -> None:
    """Dense, small, round, dark nuclei: normal, though blue."""
    dyes[..., 1] = 0.35
    dyes[..., 0] = 0.15
    spacing = rng.uniform(7, 9.5)
    _scatter(dyes, mpp, rng, spacing_um=spacing, radius_um=2.5, slender=1.1, depth=1.1, size_spread=0.1)


def _tumour(dyes: Dyes, mpp: float, rng: np.random.Generator) -> None:
    """Crowded, large, uneven nuclei with coarse chromatin, hardly any stroma."""
    side = len(dyes)
    nests = periodic_noise(side, (rng.uniform(40, 120) / mpp,) * 2, rng)
    dyes[..., 1] = np.clip(0.55 + 0.12 * nests, 0.2, 1.2)
    dyes[..., 0] = 0.28 + 0.05 * nests
    _scatter(
        dyes, mpp, rng, spacing_um=rng.uniform(9, 13), radius_um=rng.uniform(3.8, 5.2),
        slender=1.35, depth=rng.uniform(0.65, 0.95), size_spread=0.3, coarse=0.35,
    )  # fmt: skip


TISSUES: dict[str, Callable[[Dyes, float, np.random.Generator], None]] = {
    "stroma": _stroma,
    "glands": _glands,
    "fat": _fat,
    "lymphocytes": _lymphocytes,
    "tumour": _tumour,
}
"""Painters by name; all but ``tumour`` are normal tissue."""


def _places(side: int, spacing: float, rng: np.random.Generator, jitter: float = 0.4) -> NDArray[np.float64]:
    """Return jittered grid points ``(N, 2)`` that repeat after ``side`` pixels."""
    count = max(1, round(side / spacing))
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), -1).reshape(-1, 2)
    return np.asarray((grid + 0.5 + rng.uniform(-jitter, jitter, grid.shape)) * (side / count))


def _scatter(
    dyes: Dyes,
    mpp: float,
    rng: np.random.Generator,
    *,
    spacing_um: float,
    radius_um: float,
    slender: float,
    depth: float,
    size_spread: float = 0.2,
    coarse: float = 0.12,
) -> None:
    """Spread nuclei over the texture."""
    for place in _places(len(dyes), spacing_um / mpp, rng):
        radius = radius_um / mpp * np.exp(rng.normal(0, size_spread))
        shape = 1 + (slender - 1) * rng.uniform(0.4, 1.6)
        strength = depth * np.exp(rng.normal(0, 0.18))
        _nucleus(dyes, (place[0], place[1]), radius, shape, rng.uniform(0, np.pi), strength, rng, coarse)


def _disc(side: int, y: float, x: float, radius: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Field]:
    """Return wrapped rows and columns around a point, and the distance of each pixel to it."""
    rows = np.arange(int(np.floor(y - radius)), int(np.ceil(y + radius)) + 1)
    columns = np.arange(int(np.floor(x - radius)), int(np.ceil(x + radius)) + 1)
    rows, columns = rows[:side], columns[:side]
    away = np.hypot(rows[:, None] - y, columns[None] - x).astype(np.float32)
    return rows % side, columns % side, away


def _nucleus(
    dyes: Dyes,
    place: tuple[float, float],
    radius: float,
    slender: float,
    angle: float,
    depth: float,
    rng: np.random.Generator,
    coarse: float = 0.12,
) -> None:
    """Blend one nucleus in: an ellipse, darker at its rim, with uneven chromatin."""
    from scipy.ndimage import uniform_filter

    side = len(dyes)
    long = radius * slender**0.5
    rows, columns, _ = _disc(side, *place, long + 2)
    y = np.arange(int(np.floor(place[0] - long - 2)), int(np.floor(place[0] - long - 2)) + len(rows)) - place[0]
    x = np.arange(int(np.floor(place[1] - long - 2)), int(np.floor(place[1] - long - 2)) + len(columns)) - place[1]
    along = (x[None] * np.cos(angle) + y[:, None] * np.sin(angle)) / long
    across = (y[:, None] * np.cos(angle) - x[None] * np.sin(angle)) / (radius / slender**0.5)
    norm = np.sqrt(along**2 + across**2)
    share = np.clip((1 - norm) * radius + 0.5, 0, 1).astype(np.float32)
    clumps = uniform_filter(rng.standard_normal(norm.shape), 3) * 3
    chromatin = depth * (0.8 + 0.3 * norm**2 + coarse * 0.8 * clumps)
    patch = dyes[np.ix_(rows, columns)]
    patch[..., 0] += share * (chromatin - patch[..., 0]).astype(np.float32)
    patch[..., 1] *= 1 - 0.55 * share
    dyes[np.ix_(rows, columns)] = patch
