"""Where pixels of a mask lie in the world."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_medpatch.evaluate.units import Units
from napari_medpatch.io.source import AnyArray


@dataclass(frozen=True, slots=True)
class World:
    """Turns pixels into coordinates that other programs show.

    Parameters
    ----------
    units : Units
        Pixel size.
    affine : tuple of tuple of float or None
        (4, 4), ``(x, y, z)`` index to RAS+ mm, as a volume's ``canonical_affine``; None where nobody knows where the
        volume lies, and for pictures.
    """

    units: Units
    affine: tuple[tuple[float, ...], ...] | None = None

    @classmethod
    def of(cls, units: Units, affine: AnyArray | None) -> "World":
        """Return the world of an affine, or of the pixel size alone."""
        rows = None if affine is None else tuple(map(tuple, np.asarray(affine, np.float64).tolist()))
        return cls(units, rows)

    def columns(self, pixel: Sequence[float]) -> dict[str, float]:
        """Return a place by column name.

        Returns
        -------
        dict
            ``z``, ``y``, ``x``: index in the mask's array, axes as napari shows them. ``R_mm``, ``A_mm``, ``S_mm``: to
            the patient's right, front and head, as 3D Slicer shows them, if the affine is known (DICOM's and ITK's
            x and y are the negative of R and A). Otherwise ``z_mm`` or ``y_um`` and the like: index times pixel
            size, if that is known.
        """
        axes = self.units.axes
        result = {axis: float(value) for axis, value in zip(axes, pixel, strict=True)}
        if self.affine is not None and len(pixel) == 3:
            world = np.asarray(self.affine) @ (*pixel[::-1], 1.0)
            return result | {f"{name}_mm": float(value) for name, value in zip("RAS", world[:3], strict=True)}
        if self.units.length == "px":
            return result
        sizes = zip(axes, pixel, self.units.spacing, strict=True)
        return result | {f"{axis}_{self.units.length}": float(value * size) for axis, value, size in sizes}
