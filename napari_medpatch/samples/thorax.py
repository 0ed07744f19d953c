"""A simulated chest CT with truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.errors import GeometryError
from napari_medpatch.samples.shapes import Canvas, Field, make_canvas
from napari_medpatch.samples.thorax_anatomy import Anatomy, draw_anatomy
from napari_medpatch.samples.thorax_organs import Shares, paint_patient

THORAX_CLASSES = ("background", "body", "left lung", "right lung", "airway", "heart", "vessels", "nodule")
"""Names of the label values of :func:`make_thorax`."""
LUNG_VALUES = (2, 3, 6, 7)
"""Label values that together make the lungs: tissue, the vessels within and nodules."""


@dataclass(frozen=True, slots=True)
class Thorax:
    """A simulated chest CT.

    Parameters
    ----------
    hu : (Z, Y, X) int16
        Hounsfield units; z to the head, y to the back, x to the patient's left.
    labels : (Z, Y, X) uint8
        Indices into :data:`THORAX_CLASSES`.
    affine : (4, 4) float64
        From the index ``(x, y, z)`` to RAS+ mm, as in NIfTI.
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]

    @property
    def lungs(self) -> NDArray[np.bool_]:
        """Return the lung mask ``(Z, Y, X)``."""
        return np.isin(self.labels, LUNG_VALUES)


def make_thorax(
    shape: tuple[int, int, int] = (80, 128, 128),
    *,
    spacing: tuple[float, float, float] = (4.0, 3.0, 3.0),
    seed: int = 0,
    noise: float = 20.0,
    nodules: int = 3,
    oblique: bool = False,
    anatomy: Anatomy | None = None,
) -> Thorax:
    """Simulate a chest CT: another patient for each seed.

    Parameters
    ----------
    shape : (Z, Y, X)
        Voxels; the volume is centred on the chest, so a small one cuts it.
    spacing : (z, y, x)
        Millimetres per voxel.
    seed : int
        The same seed gives the same volume.
    noise : float
        Standard deviation of the scanner's noise, HU.
    nodules : int
        Round lesions placed in the lungs.
    oblique : bool
        Tilt the affine by some degrees, as a gantry tilt or a turned head-rest does.
    anatomy : Anatomy, optional
        Measures to use instead of drawn ones.

    Raises
    ------
    GeometryError
        If shape or spacing is not positive.
    """
    if min(shape) < 1 or not min(spacing) > 0:
        raise GeometryError(f"A thorax of shape {shape} and spacing {spacing} mm is impossible; use positive numbers.")
    rng = np.random.default_rng(seed)
    patient = anatomy or draw_anatomy(rng)
    canvas, shares = render_thorax(patient, shape, spacing, rng)
    lesions = paint_nodules(canvas, shares, nodules, rng)
    paint_table(canvas, patient)
    add_noise(canvas.hu, noise, rng)
    labels = _labels(canvas, shares, lesions)
    hu = np.clip(np.rint(canvas.hu), -1024, 3071).astype(np.int16)
    return Thorax(hu, labels, _affine(shape, spacing, oblique))


def render_thorax(
    anatomy: Anatomy, shape: tuple[int, int, int], spacing: tuple[float, float, float], rng: np.random.Generator
) -> tuple[Canvas, Shares]:
    """Paint a patient without nodules, table and noise; the shares are soft truth for training."""
    middle = (anatomy.apex + anatomy.bottom) / 2
    canvas = make_canvas(shape, spacing, (middle, 0.0, 0.0), 5.0, rng)
    shares = paint_patient(canvas, anatomy, rng)
    return canvas, shares


def paint_nodules(canvas: Canvas, shares: Shares, count: int, rng: np.random.Generator) -> Field:
    """Paint round lesions of 6 to 26 mm into the lungs; return their share."""
    total = np.zeros_like(canvas.hu)
    places = np.argwhere(shares.lungs > 0.99)
    if not len(places):
        return total
    for place in places[rng.integers(0, len(places), count)]:
        z, y, x = (float(axis[tuple(place)]) for axis in (canvas.z, canvas.y, canvas.x))
        radius = rng.uniform(3, 13)
        distance, box = canvas.ellipsoid((z, y, x), (radius, radius * rng.uniform(0.8, 1.2), radius))
        share = canvas.share(distance) * shares.lungs[box]
        canvas.paint(share, rng.uniform(-50, 90), box)
        np.maximum(total[box], share, out=total[box])
    return total


def paint_table(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint the curved table top under the patient: a dense skin over foam."""
    level = anatomy.depth + anatomy.wall + anatomy.fat + 10
    height = -canvas.y if anatomy.prone else canvas.y
    sag = level - (canvas.x / np.float32(70)) ** 2
    inner = np.maximum(np.abs(height - sag - 14) - np.float32(12), np.abs(canvas.x) - 215)
    # Only plain outside air gives way to the table.
    outside = (np.abs(canvas.hu + np.float32(1000)) < np.float32(0.5)).astype(np.float32)
    canvas.paint(canvas.share(inner) * outside, -150)
    canvas.paint(canvas.share(inner + 3) * outside, -930)


def add_noise(hu: Field, sigma: float, rng: np.random.Generator) -> None:
    """Add noise in place, somewhat correlated within slices as reconstruction leaves it."""
    from scipy.ndimage import gaussian_filter

    if sigma <= 0:
        return
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    noise += 1.5 * gaussian_filter(noise, (0, 0.8, 0.8))
    hu += noise * np.float32(sigma / noise.std())


def _labels(canvas: Canvas, shares: Shares, lesions: Field) -> NDArray[np.uint8]:
    half = np.float32(0.5)
    labels = (shares.body > half).astype(np.uint8)
    labels[shares.heart > half] = 5
    labels[shares.airway > half] = 4
    lungs = shares.lungs > half
    labels[lungs] = np.where(canvas.x[lungs] > 0, 2, 3)
    labels[(shares.vessels > half) & lungs] = 6
    labels[(lesions > half) & lungs] = 7
    return labels


def _affine(shape: tuple[int, int, int], spacing: tuple[float, float, float], oblique: bool) -> NDArray[np.float64]:
    """Return the affine of an LPS volume around the origin; ``oblique`` turns it about two axes."""
    scale = np.diag([-spacing[2], -spacing[1], spacing[0]])
    if oblique:
        a, b = np.deg2rad(7.0), np.deg2rad(-4.0)
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
        scale = about_z @ about_x @ scale
    affine = np.eye(4)
    affine[:3, :3] = scale
    affine[:3, 3] = -scale @ ((np.array(shape[::-1]) - 1) / 2)
    return affine
