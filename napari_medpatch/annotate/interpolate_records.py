"""What interpolation is asked for, and what it returns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.errors import SettingsError

Method = Literal["shape", "walker"]
METHODS: Mapping[str, str] = {
    "shape": "between the painted outlines only",
    "walker": "the same, then the border follows the image",
}
"""Methods and what they do."""


@dataclass(frozen=True, slots=True)
class InterpolateSettings:
    """How to fill between painted slices.

    Parameters
    ----------
    axis : int or None
        Array axis across which the painted slices follow each other: 0 axial, 1 coronal, 2 sagittal; None takes
        the one with the most fully painted slices.
    method : {"shape", "walker"}
        ``"shape"`` looks at the painted outlines only; ``"walker"`` lets the image move the border.
    classes : tuple of str
        Names of the classes to propose; all but the background when empty.
    background : bool
        Propose background too, where both neighbouring slices are painted.
    beyond : int
        Slices to go on for after the first and the last painted slice of a class, as a dome; by default none.
    band_mm : float or None
        For ``"walker"``: how far the image may move the border, mm. By default half the way to the nearest painted
        slice, 4 to 20 mm.

    Raises
    ------
    SettingsError
        If a value is out of range.
    """

    axis: int | None = None
    method: Method = "walker"
    classes: tuple[str, ...] = ()
    background: bool = False
    beyond: int = 0
    band_mm: float | None = None

    def __post_init__(self) -> None:
        if self.axis not in (None, 0, 1, 2):
            raise SettingsError(f"A volume has the axes 0, 1 and 2, got {self.axis}; choose one of them or none.")
        if self.method not in METHODS:
            raise SettingsError(f"There is no method {self.method!r}; choose one of {', '.join(METHODS)}.")
        if self.beyond < 0:
            raise SettingsError(f"Going on beyond the last painted slice takes 0 or more slices, got {self.beyond}.")
        if self.band_mm is not None and not (math.isfinite(self.band_mm) and 0 < self.band_mm <= 1000):
            raise SettingsError(f"The band must be wider than 0 mm, got {self.band_mm}; 2 to 10 mm are usual.")


@dataclass(frozen=True, slots=True, eq=False)
class InterpolationResult:
    """Proposed labels.

    Parameters
    ----------
    labels : ndarray
        ``(Z, Y, X)`` uint8 label values (1 background, 2… classes) of the voxels that are proposed, 0 elsewhere;
        painted voxels are never among them.
    axis : int
        Across which the painted slices follow each other.
    slices : tuple of int
        The painted slices along that axis.
    voxels : mapping of str to int
        How many are proposed of each class, by name.
    seconds : float
        What it took.
    provenance : mapping
        Method, settings and slices, for the file.
    """

    labels: LabelArray
    axis: int
    slices: tuple[int, ...]
    voxels: Mapping[str, int]
    seconds: float
    provenance: Mapping[str, Any] = field(default_factory=dict)
