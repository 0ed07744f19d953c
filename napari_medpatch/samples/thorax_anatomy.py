"""The measures of one simulated patient, drawn at random within plausible ranges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.samples.shapes import Field


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Measures in mm (HU where said); z points to the head, y to the back, x to the patient's left.

    Parameters
    ----------
    width, depth : float
        Half axes of the chest cavity at its widest.
    apex, bottom : float
        Heights of the lung tips and of the lowest recess.
    domes : (left, right)
        Heights of the tops of the diaphragm.
    wall, fat : float
        Thickness of ribs with muscle, and of the fat under the skin.
    heart : float
        Mean radius.
    contrast : float
        HU of heart and vessels.
    lung_hu : float
        Of aerated lung at the front; the back is denser.
    arms_up : bool
        Beside the head, or beside the trunk.
    prone : bool
        Gravity and table lie in front.
    """

    width: float
    depth: float
    squareness: float
    apex: float
    bottom: float
    domes: tuple[float, float]
    wall: float
    fat: float
    heart: float
    heart_shift: float
    mediastinum: float
    contrast: float
    muscle_hu: float
    fat_hu: float
    bone_hu: float
    liver_hu: float
    lung_hu: float
    gradient: float
    arms_up: bool
    prone: bool
    stomach_gas: float
    breasts: float

    def cavity_radii(self, z: Field) -> tuple[Field, Field]:
        """Return the half width and half depth of the chest cavity at the heights ``z``."""
        along = np.clip((self.apex - z) / (self.apex - self.bottom), 1e-3, 1)
        profile = np.sqrt(np.clip(1 - (1 - np.minimum(along / 0.62, 1)) ** 2.2, 1e-4, 1))
        return np.float32(self.width) * profile, np.float32(self.depth) * profile**0.8

    def cavity(self, z: Field, y: Field, x: Field) -> Field:
        """Return the signed distance to the chest cavity (ribs' inner side), about right near its wall."""
        half_width, half_depth = self.cavity_radii(z)
        power = np.float32(self.squareness)
        norm = ((np.abs(x) / half_width) ** power + (np.abs(y) / half_depth) ** power) ** (1 / power)
        side = (norm - 1) * np.minimum(half_width, half_depth)
        distance: Field = np.maximum(side, z - np.float32(self.apex))
        return distance

    def inside_cavity(self, point: NDArray[np.float64]) -> float:
        """Return the distance of one point ``(z, y, x)`` to the cavity wall, negative inside."""
        one = [np.full(1, value, np.float32) for value in point]
        return float(self.cavity(*one)[0])

    def diaphragm(self, y: Field, x: Field) -> Field:
        """Return the height of the diaphragm over ``(y, x)``."""
        left, right = self.domes
        top = np.where(x > 0, np.float32(left), np.float32(right))
        across = (np.abs(x) - np.float32(0.42 * self.width)) / np.float32(0.62 * self.width)
        deep = (y + np.float32(0.12 * self.depth)) / np.float32(0.95 * self.depth)
        fall = np.clip(across * across + deep * deep, 0, 1.5)
        height: Field = top - (top - np.float32(self.bottom)) * fall**1.6
        return height


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a patient: from a small woman to a large man, any habitus, contrast phase and posture."""
    size = rng.uniform(0.72, 1.12)
    apex = 125 * size * rng.uniform(0.9, 1.1)
    dome = -rng.uniform(25, 95) * size
    return Anatomy(
        width=135 * size * rng.uniform(0.88, 1.08),
        depth=92 * size * rng.uniform(0.78, 1.15),
        squareness=rng.uniform(2.0, 2.7),
        apex=apex,
        bottom=dome - rng.uniform(35, 75) * size,
        domes=(dome - rng.uniform(-5, 25), dome),
        wall=rng.uniform(12, 24),
        fat=float(rng.choice([rng.uniform(4, 15), rng.uniform(10, 45)])),
        heart=rng.uniform(44, 66) * size,
        heart_shift=rng.uniform(10, 30) * size,
        mediastinum=rng.uniform(22, 40) * size,
        contrast=float(rng.choice([rng.uniform(30, 60), rng.uniform(120, 420)])),
        muscle_hu=rng.uniform(35, 75),
        fat_hu=rng.uniform(-120, -80),
        bone_hu=rng.uniform(300, 900),
        liver_hu=rng.uniform(20, 120),
        lung_hu=float(rng.choice([rng.uniform(-930, -800), rng.uniform(-860, -650)])),
        gradient=rng.uniform(0, 150),
        arms_up=bool(rng.random() < 0.7),
        prone=bool(rng.random() < 0.08),
        stomach_gas=rng.uniform(0, 38),
        breasts=float(rng.choice([0.0, rng.uniform(25, 60)])),
    )
