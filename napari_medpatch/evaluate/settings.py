"""What the user may choose about an evaluation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from napari_medpatch.errors import SettingsError

DEFAULT_TOLERANCE: Mapping[str, float] = MappingProxyType({"mm": 2.0, "um": 5.0, "px": 2.0})
"""Of the surface Dice, by unit of length."""


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How masks are compared.

    Parameters
    ----------
    tolerance : float or None
        How far surfaces may be apart to count as the same, in the mask's unit of length;
        :data:`DEFAULT_TOLERANCE` if None.
    surface : bool
        Compute surface distances.
    objects : bool
        Compare connected objects.
    connectivity : {"face", "full"}
        Objects touch by faces (edges in 2D) or by corners too.
    min_iou : float
        IoU above which a predicted object may count as a true one; 0 takes any overlap.
    min_object : float
        Objects smaller than this are not counted, in the unit of volume or area.
    """

    tolerance: float | None = None
    surface: bool = True
    objects: bool = True
    connectivity: Literal["face", "full"] = "face"
    min_iou: float = 0.0
    min_object: float = 0.0

    def __post_init__(self) -> None:
        if self.tolerance is not None and not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise SettingsError(f"A tolerance of {self.tolerance} is impossible; give a distance of 0 or more.")
        if self.connectivity not in ("face", "full"):
            raise SettingsError(f"The connectivity {self.connectivity!r} is unknown; choose face or full.")
        if not 0 <= self.min_iou < 1:
            raise SettingsError(f"An IoU of {self.min_iou} to match objects is impossible; give 0 or more, below 1.")
        if not (math.isfinite(self.min_object) and self.min_object >= 0):
            raise SettingsError(f"A least object of {self.min_object} is impossible; give a size of 0 or more.")

    def tolerance_in(self, length: str) -> float:
        """Return the tolerance in a unit of length."""
        return DEFAULT_TOLERANCE[length] if self.tolerance is None else self.tolerance
