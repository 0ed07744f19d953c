"""A simulated fundus photograph with truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.errors import GeometryError
from napari_medpatch.samples.fundus_vessels import Vessel, grow_vessels
from napari_medpatch.samples.shapes import Field, smooth_noise

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fundus:
    """A simulated photograph of the retina.

    Parameters
    ----------
    image : (Y, X, 3) uint8
        RGB.
    vessels, disc, lesions, fov : (Y, X) bool
        Truth: blood vessels, optic disc, exudates with bleedings, and the lit field of view.
    vessel_share : (Y, X) float32
        Share of each pixel that is vessel, 0…1.
    """

    image: NDArray[np.uint8]
    vessels: Mask
    disc: Mask
    lesions: Mask
    fov: Mask
    vessel_share: Field


@dataclass(slots=True)
class _Scene:
    """Image being painted; ``y`` and ``x`` are in diameters of the field of view, 0 in its middle."""

    y: Field
    x: Field
    rgb: Field
    pixel: float

    def share(self, distance: Field, soft: float = 1.0) -> Field:
        """Return the share inside from a distance in diameters; ``soft`` widens the edge, in pixels."""
        share: Field = np.clip(0.5 - distance / np.float32(self.pixel * soft), 0, 1).astype(np.float32)
        return share

    def paint(
        self, share: Field, colour: tuple[float, ...], box: tuple[slice, slice] = (slice(None), slice(None))
    ) -> None:
        """Blend a colour in, everywhere or in a box."""
        self.rgb[box] += share[..., None] * (np.asarray(colour, np.float32) - self.rgb[box])


def make_fundus(
    size: tuple[int, int] = (600, 640), *, seed: int = 0, lesions: int = 12, noise: float | None = None
) -> Fundus:
    """Simulate a fundus photograph: another eye and camera for each seed.

    Parameters
    ----------
    size : (Y, X)
        Pixels; the field of view fills the shorter side.
    seed : int
        The same seed gives the same photograph.
    lesions : int
        Number of exudates and bleedings, at most; 0 is a healthy eye.
    noise : float, optional
        Standard deviation of the camera's noise, grey values; drawn by default.

    Raises
    ------
    GeometryError
        If a side is below 32 pixels.
    """
    if min(size) < 32:
        raise GeometryError(f"A fundus photograph of {size} pixels is too small to draw; use at least 32 a side.")
    rng = np.random.default_rng(seed)
    scene = _empty_scene(size, rng)
    eye = float(rng.choice([-1.0, 1.0]))
    disc_place = (rng.uniform(-0.03, 0.03), eye * rng.uniform(0.14, 0.2))
    _paint_retina(scene, eye, rng)
    disc = _paint_disc(scene, disc_place, rng)
    vessel_share = _paint_vessels(scene, grow_vessels(disc_place, eye, rng), rng)
    spots = _paint_lesions(scene, lesions, rng)
    _photograph(scene, rng)
    fov = _field_of_view(scene, rng)
    image = np.where(fov[..., None], scene.rgb, rng.uniform(0, 8))
    pixels = np.clip(
        image + rng.normal(0, rng.uniform(0.5, 3) if noise is None else noise, image.shape), 0, 255
    ).astype(np.uint8)
    return Fundus(pixels, (vessel_share > 0.5) & fov, (disc > 0.5) & fov, spots & fov, fov, vessel_share * fov)


def _empty_scene(size: tuple[int, int], rng: np.random.Generator) -> _Scene:
    pixel = 1 / (min(size) * 0.96)
    axes = [((np.arange(n) - (n - 1) / 2) * pixel).astype(np.float32) for n in size]
    y, x = np.meshgrid(*axes, indexing="ij")
    red = rng.uniform(150, 215)
    base = np.array([red, red * rng.uniform(0.38, 0.62), red * rng.uniform(0.1, 0.35)], np.float32)
    return _Scene(y, x, np.broadcast_to(base, (*size, 3)).astype(np.float32).copy(), pixel)


def _paint_retina(scene: _Scene, eye: float, rng: np.random.Generator) -> None:
    """Add the choroid's pattern, the rim's shade and the dark macula."""
    shape = scene.y.shape
    for period, strength in ((0.25, 0.05), (0.06, 0.03), (0.012, 0.02)):
        scene.rgb *= 1 + rng.uniform(0.4, 1) * strength * smooth_noise(shape, period / scene.pixel, rng)[..., None]
    far = np.hypot(scene.y - rng.uniform(-0.1, 0.1), scene.x - rng.uniform(-0.1, 0.1))
    scene.rgb *= (1 - rng.uniform(0.3, 1.2) * np.clip(far, 0, 0.6)[..., None] ** 2 * 1.5).astype(np.float32)
    macula = np.hypot(scene.y - 0.02, scene.x + eye * 0.1) / np.float32(rng.uniform(0.07, 0.12))
    scene.rgb *= (1 - rng.uniform(0.15, 0.4) * np.exp(-macula * macula))[..., None]


def _paint_disc(scene: _Scene, place: tuple[float, float], rng: np.random.Generator) -> Field:
    radius = rng.uniform(0.06, 0.09)
    away = np.hypot((scene.y - place[0]) / np.float32(rng.uniform(1.0, 1.15)), scene.x - place[1]) - np.float32(radius)
    disc = scene.share(away, soft=4)
    brightness = rng.uniform(225, 250)
    scene.paint(disc * np.float32(0.85), (brightness, brightness * 0.82, brightness * 0.52))
    cup = scene.share(away + np.float32(radius * rng.uniform(0.4, 0.65)), soft=8)
    scene.paint(cup * np.float32(0.6), (255.0, 240.0, 190.0))
    return disc


def _paint_vessels(scene: _Scene, vessels: list[Vessel], rng: np.random.Generator) -> Field:
    """Darken the vessels, arteries less than veins, some with a bright reflex; return their share."""
    total = np.zeros_like(scene.y)
    contrast, reflex = rng.uniform(0.35, 0.7), rng.uniform(0, 0.5)
    for kind in ("vein", "artery"):
        distance, width = _nearest(scene, [vessel for vessel in vessels if vessel.kind == kind])
        share = scene.share(distance, soft=1.0)
        depth = contrast * (1.0 if kind == "vein" else 0.75)
        absorption = np.array([0.35, 0.9, 0.75], np.float32) * np.float32(depth)
        # Thin vessels hold less blood and look paler.
        fullness = np.clip(width / np.float32(0.006), 0.45, 1)
        scene.rgb *= 1 - share[..., None] * fullness[..., None] * absorption
        if kind == "artery":
            centre = scene.share(distance + width * np.float32(0.7)) * (width > 4 * scene.pixel)
            scene.rgb *= 1 + np.float32(reflex) * centre[..., None]
        np.maximum(total, share, out=total)
    return total


def _nearest(scene: _Scene, vessels: list[Vessel]) -> tuple[Field, Field]:
    """Return the distance to the nearest vessel wall, negative inside, and that vessel's radius."""
    distance, width = np.full_like(scene.y, 9), np.zeros_like(scene.y)
    for vessel in vessels:
        for start, end, radius in zip(vessel.points[:-1], vessel.points[1:], vessel.radii, strict=True):
            box = _box(scene, np.minimum(start, end) - radius, np.maximum(start, end) + radius)
            away = _from_segment(scene.y[box], scene.x[box], start, end) - np.float32(radius)
            closer = away < distance[box]
            distance[box] = np.where(closer, away, distance[box])
            width[box] = np.where(closer, np.float32(radius), width[box])
    return distance, width


def _box(scene: _Scene, low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[slice, slice]:
    slices = []
    for axis, size in enumerate(scene.y.shape):
        middle, pad = (size - 1) / 2, 3
        first, last = low[axis] / scene.pixel + middle - pad, high[axis] / scene.pixel + middle + pad
        slices.append(slice(int(np.clip(first, 0, size)), int(np.clip(last + 1, 0, size))))
    return slices[0], slices[1]


def _from_segment(y: Field, x: Field, start: NDArray[np.float64], end: NDArray[np.float64]) -> Field:
    step = end - start
    along = ((y - start[0]) * step[0] + (x - start[1]) * step[1]) / max(float(step @ step), 1e-12)
    along = np.clip(along, 0, 1)
    away: Field = np.hypot(y - start[0] - along * step[0], x - start[1] - along * step[1]).astype(np.float32)
    return away


def _paint_lesions(scene: _Scene, most: int, rng: np.random.Generator) -> Mask:
    """Scatter yellow exudates, red bleedings and dark microaneurysms."""
    found = np.zeros(scene.y.shape, bool)
    kinds = (((235.0, 215.0, 120.0), 0.008), ((110.0, 25.0, 15.0), 0.016), ((120.0, 35.0, 20.0), 0.004))
    ragged = smooth_noise(scene.y.shape, 0.012 / scene.pixel, rng)
    for _ in range(int(rng.integers(0, most + 1)) if most else 0):
        colour, largest = kinds[int(rng.integers(0, len(kinds)))]
        y, x = rng.uniform(-0.38, 0.38, 2)
        radius = largest * rng.uniform(0.5, 1.6)
        box = _box(scene, np.array([y, x]) - 2 * radius, np.array([y, x]) + 2 * radius)
        away = np.hypot(scene.y[box] - y, scene.x[box] - x) + ragged[box] * np.float32(0.25 * largest)
        share = scene.share(away - np.float32(radius), soft=2)
        scene.paint(share * np.float32(rng.uniform(0.5, 0.95)), colour, box)
        found[box] |= share > 0.5
    return found


def _photograph(scene: _Scene, rng: np.random.Generator) -> None:
    """Blur as the camera's optics do."""
    from scipy.ndimage import gaussian_filter

    sigma = rng.uniform(0.0005, 0.0014) / scene.pixel
    scene.rgb = gaussian_filter(scene.rgb, (sigma, sigma, 0))


def _field_of_view(scene: _Scene, rng: np.random.Generator) -> Mask:
    """Return the lit disc; some cameras cut it above and below."""
    fov = np.hypot(scene.y, scene.x) < 0.5
    if rng.random() < 0.3:
        fov &= np.abs(scene.y) < rng.uniform(0.4, 0.48)
    return np.asarray(fov)
