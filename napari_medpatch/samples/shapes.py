"""Solid shapes painted onto a voxel grid with soft edges.

A shape is a signed distance in mm, negative inside. Its share of a voxel follows from the distance, so that
images get the partial volume of a real scanner and thin walls survive coarse grids.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Box = tuple[slice, slice, slice]
EVERYWHERE: Box = (slice(None), slice(None), slice(None))


def smooth_noise(shape: tuple[int, ...], period: float, rng: np.random.Generator) -> Field:
    """Return a smooth random field of about unit variance.

    Parameters
    ----------
    shape : tuple of int
        Shape of the field.
    period : float
        Distance between independent values, in voxels.
    rng : numpy.random.Generator
        Source of randomness.
    """
    from scipy.ndimage import zoom

    coarse_shape = [int(np.ceil(n / max(period, 1.0))) + 3 for n in shape]
    coarse = rng.standard_normal(coarse_shape, dtype=np.float32)
    factors = [(n + 2 * max(period, 1.0)) / c for n, c in zip(shape, coarse_shape, strict=True)]
    fine = zoom(coarse, factors, order=1)
    field: Field = fine[tuple(slice(0, n) for n in shape)].astype(np.float32)
    return field * np.float32(1.4)


@dataclass(slots=True)
class Canvas:
    """A volume of HU values and the place of each voxel in the phantom.

    Parameters
    ----------
    x, y, z : (Z, Y, X) float32
        Millimetres to the patient's left, to the back and to the head, after the phantom's own warp.
    hu : (Z, Y, X) float32
        Painted so far.
    voxel_mm : float
        Width of the soft edge.
    slack_mm : float
        Largest displacement of the warp; boxes of small shapes are widened by it.
    """

    x: Field
    y: Field
    z: Field
    hu: Field
    voxel_mm: float
    slack_mm: float
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]

    def share(self, distance: Field) -> Field:
        """Return the share of each voxel that lies inside, 0…1, from a distance in mm."""
        share: Field = np.clip(np.float32(0.5) - distance / np.float32(self.voxel_mm), 0, 1)
        return share

    def paint(self, share: Field, hu: "float | Field", box: Box = EVERYWHERE) -> None:
        """Blend ``hu`` into the volume, or into ``box`` of it, by ``share``."""
        self.hu[box] += share * (np.asarray(hu, np.float32) - self.hu[box])

    def box(self, low: NDArray[Any], high: NDArray[Any], margin: float) -> Box:
        """Return the voxels that hold the span from ``low`` to ``high`` ((z, y, x) in mm) and a margin."""
        pad = margin + self.slack_mm + self.voxel_mm
        slices = []
        for axis in range(3):
            first = (float(low[axis]) - pad - self.origin[axis]) / self.spacing[axis]
            last = (float(high[axis]) + pad - self.origin[axis]) / self.spacing[axis]
            size = self.hu.shape[axis]
            slices.append(slice(int(np.clip(np.floor(first), 0, size)), int(np.clip(np.ceil(last) + 1, 0, size))))
        return slices[0], slices[1], slices[2]

    def ellipsoid(self, center: tuple[float, float, float], radii: tuple[float, float, float]) -> tuple[Field, Box]:
        """Return the distance to an ellipsoid, and the box in which it is given.

        Parameters
        ----------
        center, radii : tuple of float
            (z, y, x) in mm.
        """
        middle, reach = np.array(center), np.array(radii)
        box = self.box(middle - reach, middle + reach, 2.0)
        offsets = [
            (axis[box] - np.float32(c)) / np.float32(r)
            for axis, c, r in zip((self.z, self.y, self.x), center, radii, strict=True)
        ]
        norm = np.sqrt(sum(o * o for o in offsets))
        slope = np.sqrt(sum((o / np.float32(r)) ** 2 for o, r in zip(offsets, radii, strict=True)))
        return norm * (norm - 1) / np.maximum(slope, np.float32(1e-4)), box

    def tubes(self, segments: "list[Segment]") -> Field:
        """Return the distance to the union of tapered tubes, 1000 far away from all of them."""
        distance = np.full(self.hu.shape, 1000, np.float32)
        for segment in segments:
            ends = np.array([segment.start, segment.end])
            box = self.box(ends.min(0), ends.max(0), max(segment.radii) + 2)
            if all(part.stop > part.start for part in box):
                np.minimum(distance[box], self._tube(segment, box), out=distance[box])
        return distance

    def _tube(self, segment: "Segment", box: Box) -> Field:
        start = np.array(segment.start, np.float32)
        axis = np.array(segment.end, np.float32) - start
        offset = [coordinate[box] - s for coordinate, s in zip((self.z, self.y, self.x), start, strict=True)]
        along = sum(o * a for o, a in zip(offset, axis, strict=True)) / max(float(axis @ axis), 1e-6)
        along = np.clip(along, 0, 1)
        away = np.sqrt(sum((o - along * a) ** 2 for o, a in zip(offset, axis, strict=True)))
        first, last = segment.radii
        return np.asarray(away - (np.float32(first) + along * np.float32(last - first)), np.float32)


@dataclass(frozen=True, slots=True)
class Segment:
    """A tapered tube between two points ``(z, y, x)`` in mm, with the radii at its ends."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radii: tuple[float, float]


def make_canvas(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    centre: tuple[float, float, float],
    warp_mm: float,
    rng: np.random.Generator,
) -> Canvas:
    """Return an empty canvas (air) whose voxel grid is warped smoothly.

    Parameters
    ----------
    shape : (Z, Y, X)
        Voxels.
    spacing : (z, y, x)
        Millimetres per voxel.
    centre : (z, y, x)
        Place of the volume's middle in the phantom, mm; (0, 0, 0) is the middle of the chest.
    warp_mm : float
        Typical displacement; makes left and right, and every seed, differ.
    rng : numpy.random.Generator
        Source of randomness.
    """
    origin = [c - (n - 1) / 2 * s for c, n, s in zip(centre, shape, spacing, strict=True)]
    axes = [(o + np.arange(n) * s).astype(np.float32) for o, n, s in zip(origin, shape, spacing, strict=True)]
    z, y, x = (np.broadcast_to(a, shape) for a in np.meshgrid(*axes, indexing="ij"))
    period = 70.0 / min(spacing)
    shifts = [smooth_noise(shape, period, rng) * np.float32(warp_mm / 1.4) for _ in range(3)]
    return Canvas(
        x + shifts[2], y + shifts[1], z + shifts[0], np.full(shape, -1000, np.float32),
        float(np.mean(spacing)), 3.0 * warp_mm, spacing, (origin[0], origin[1], origin[2]),
    )  # fmt: skip
