"""Lengths and sizes as people write them: ``1.5mm``, ``2ml``, ``10px``."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from napari_medpatch.errors import SettingsError

_TEXT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)|[-+]?inf|nan)\s*([a-zµ]+\d?)?\s*", re.IGNORECASE)
_TO_MM = {"mm": 1.0, "cm": 10.0, "um": 1e-3}
_SIZES = {"ml": (3, 10.0), "mm3": (3, 1.0), "cm3": (3, 10.0), "um2": (2, 1e-3), "mm2": (2, 1.0)}
"""Dimensions that a unit of size needs, and the edge in mm of a cube or square of one."""
PIXELS = ("px", "vx")
_LENGTH = "a length such as 1.5mm, 20um or 3px"
_SIZE = "a size such as 2ml, 500mm3, 50um2 or 10px"


@dataclass(frozen=True, slots=True)
class Length:
    """A length.

    Parameters
    ----------
    value : float
        How long.
    unit : str
        ``"mm"``, ``"cm"``, ``"um"`` or ``"px"``.

    Raises
    ------
    SettingsError
        If it is not positive and finite, or the unit is unknown.
    """

    value: float
    unit: str = "mm"

    def __post_init__(self) -> None:
        _check(str(self), self.value, self.unit, (*_TO_MM, *PIXELS), _LENGTH)

    @classmethod
    def parse(cls, text: str) -> "Length":
        """Read ``"1.5mm"``."""
        return cls(*_number_and_unit(text, _LENGTH))

    def __str__(self) -> str:
        return f"{self.value:g}{self.unit}"

    def in_own_unit(self, value: float) -> str:
        """Return a value of :meth:`on_grid` as text, in the unit in which this length was given."""
        return f"{value / _TO_MM.get(self.unit, 1.0):.4g}{self.unit}"

    def on_grid(self, voxel: Sequence[float], unit: str) -> tuple[float, tuple[float, ...]]:
        """Return the length and the voxel's edges in one unit: mm, or pixels.

        Parameters
        ----------
        voxel : sequence of float
            Edges of a voxel.
        unit : str
            Theirs: ``"mm"``, ``"um"`` or ``"px"``.

        Raises
        ------
        SettingsError
            If the length is in mm or µm and nobody knows the size of a voxel.
        """
        if self.unit in PIXELS:
            return self.value, (1.0,) * len(voxel)
        _need_size(str(self), unit)
        return self.value * _TO_MM[self.unit], tuple(edge * _TO_MM[unit] for edge in voxel)


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an object.

    Parameters
    ----------
    value : float
        How large.
    unit : str
        ``"ml"``, ``"cm3"``, ``"mm3"`` (volumes), ``"um2"``, ``"mm2"`` (pictures) or ``"px"``.

    Raises
    ------
    SettingsError
        If it is not positive and finite, or the unit is unknown.
    """

    value: float
    unit: str = "ml"

    def __post_init__(self) -> None:
        _check(str(self), self.value, self.unit, (*_SIZES, *PIXELS), _SIZE)

    @classmethod
    def parse(cls, text: str) -> "Size":
        """Read ``"2ml"``."""
        return cls(*_number_and_unit(text, _SIZE))

    def __str__(self) -> str:
        return f"{self.value:g}{self.unit}"

    def in_voxels(self, voxel: Sequence[float], unit: str) -> float:
        """Return how many voxels an object of this size has.

        Raises
        ------
        SettingsError
            If nobody knows the size of a voxel, or a volume is asked of a picture or an area of a volume.
        """
        if self.unit in PIXELS:
            return self.value
        dimensions, edge = _SIZES[self.unit]
        _need_size(str(self), unit)
        if dimensions != len(voxel):
            wanted = "ml or mm3" if len(voxel) == 3 else "um2 or mm2"
            raise SettingsError(f"The size {self} does not fit an image of {len(voxel)} axes; give it in {wanted}.")
        return self.value * float(edge**dimensions) / math.prod(side * _TO_MM[unit] for side in voxel)


def _number_and_unit(text: str, wanted: str) -> tuple[float, str]:
    found = _TEXT.fullmatch(text)
    if found is None:
        raise SettingsError(f"{text!r} is not {wanted}.")
    if not found.group(2):
        raise SettingsError(f"{text!r} is not {wanted}: its unit is missing.")
    unit = found.group(2).lower().replace("µ", "u")
    return float(found.group(1)), "px" if unit in PIXELS else unit


def _check(text: str, value: float, unit: str, units: Sequence[str], wanted: str) -> None:
    """Raise unless a value is positive and finite and its unit one of those known."""
    if unit not in units:
        raise SettingsError(f"{text!r} is not {wanted}: {unit!r} is none of {', '.join(units)}.")
    if not (math.isfinite(value) and value > 0):
        raise SettingsError(f"{text!r} is not {wanted}: it must be more than 0.")


def _need_size(text: str, unit: str) -> None:
    if unit not in _TO_MM:
        raise SettingsError(f"The clean-up by {text} needs the size of a pixel, which nobody knows; give it in px.")
