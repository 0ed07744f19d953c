"""What measuring a mask found, and its rows for tables and files."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.result import Row
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.evaluate.slices import SliceCounts
from napari_medpatch.evaluate.units import Units
from napari_medpatch.evaluate.world import World

_USED = ("objects", "connectivity", "min_object")


@dataclass(frozen=True, slots=True)
class MeasuredObject:
    """A connected object.

    Parameters
    ----------
    pixels : int
        Its size.
    centroid : tuple of float
        In pixels of the mask.
    values : tuple of float or None
        Mean and standard deviation of the image inside.
    """

    pixels: int
    centroid: tuple[float, ...]
    values: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class MeasuredClass:
    """A class of a mask.

    Parameters
    ----------
    value, name
        Of the class.
    slices : SliceCounts
        Pixels per slice along each axis.
    objects : tuple of MeasuredObject
        From the largest to the smallest; of a great many only the largest.
    count : int
        How many objects there are.
    values : tuple of float or None
        Mean and standard deviation of the image inside.
    """

    value: int
    name: str
    slices: SliceCounts
    objects: tuple[MeasuredObject, ...]
    count: int
    values: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        """``"lung"``, or ``"class 1"`` without a name."""
        return self.name or f"class {self.value}"

    @property
    def pixels(self) -> int:
        """Size of the class."""
        return int(self.slices.predicted[0].sum())


@dataclass(frozen=True, slots=True)
class VolumesResult:
    """Sizes of the classes of a mask.

    Parameters
    ----------
    classes : tuple of MeasuredClass
        By value.
    units, world, shape, settings, notes, seconds, provenance
        As in :class:`napari_medpatch.evaluate.result.EvaluationResult`.
    value_unit : str
        Of the image's values: ``"HU"`` or empty.
    """

    classes: tuple[MeasuredClass, ...]
    units: Units
    world: World
    shape: tuple[int, ...]
    settings: EvaluationSettings
    value_unit: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def curve(self, value: int, axis: int) -> npt.NDArray[np.float64]:
        """Return the area of a class in each slice along an axis, in :attr:`curve_label`."""
        found = next(each for each in self.classes if each.value == value)
        others = [size for index, size in enumerate(self.units.spacing) if index != axis]
        if self._in_cm2:
            others = [size / 10 for size in others]
        areas: npt.NDArray[np.float64] = found.slices.predicted[axis].astype(np.float64) * math.prod(others)
        return areas

    @property
    def curve_label(self) -> str:
        """What :meth:`curve` shows, with its unit."""
        unit = self.units.length_text
        if self.units.ndim == 2:
            return f"length ({unit})"
        if self._in_cm2:
            return "area (cm²)"
        return "area (px)" if unit == "px" else f"area ({unit}²)"

    @property
    def _in_cm2(self) -> bool:
        """Areas of organs have five digits in mm²."""
        return self.units.length == "mm" and self.units.ndim == 3

    def class_rows(self) -> list[Row]:
        """Return a row per class."""
        return [
            {"class": each.value, "name": each.name}
            | self._size(each.pixels)
            | ({"objects": each.count} if self.settings.objects else {})
            | self._values(each.values)
            for each in self.classes
        ]

    def object_rows(self) -> list[Row]:
        """Return a row per connected object."""
        return [
            {"class": each.value, "name": each.name, "object": number}
            | self._size(found.pixels)
            | self._values(found.values)
            | self.world.columns(found.centroid)
            for each in self.classes
            for number, found in enumerate(each.objects, start=1)
        ]

    def slice_rows(self) -> list[Row]:
        """Return a row per class and slice that has it, along every axis."""
        return [
            {"axis": name, "slice": int(index), "class": each.value, "name": each.name}
            | {self.units.pixel: int(counts[index])}
            for each in self.classes
            for name, counts in zip(self.units.axes, each.slices.predicted, strict=True)
            for index in np.flatnonzero(counts)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the slices, ready for JSON."""
        return {
            "classes": {str(row["class"]): row for row in self.class_rows()},
            "objects": self.object_rows(),
            "units": {"length": self.units.length, "size": self.units.size, "spacing": list(self.units.spacing)},
            "shape": list(self.shape),
            "settings": {key: value for key, value in asdict(self.settings).items() if key in _USED},
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
            "provenance": dict(self.provenance),
        }

    def _size(self, pixels: int) -> Row:
        what = self.units.extent
        return {f"{what}_{self.units.size}": self.units.size_of(pixels), f"{what}_{self.units.pixel}": pixels}

    def _values(self, values: tuple[float, float] | None) -> Row:
        if values is None:
            return {}
        unit = f"_{self.value_unit}" if self.value_unit else ""
        known = [None if math.isnan(value) else value for value in values]
        return {f"mean{unit}": known[0], f"sd{unit}": known[1]}
