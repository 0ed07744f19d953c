"""What an evaluation found, and its rows for tables and files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.object_scores import ObjectComparison, ObjectScores
from napari_medpatch.evaluate.overlap import Overlap
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.evaluate.slices import SliceCounts
from napari_medpatch.evaluate.surface import SurfaceScores
from napari_medpatch.evaluate.units import Units
from napari_medpatch.evaluate.world import World

Row = dict[str, Any]
ANY_CLASS = 0
"""Value under which the foreground, whatever its class, is found."""


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of one class, or of all foreground together.

    Parameters
    ----------
    value : int
        Of the class in both masks; :data:`ANY_CLASS` for the foreground.
    name : str
        Of the class, empty if nobody gave one.
    overlap : Overlap
        Of the whole class.
    slices : SliceCounts
        Of each slice along each axis.
    surface : SurfaceScores or None
        None where no distance exists; ``remark`` says why.
    found : ObjectComparison or None
        Connected objects and how many of them were found; None if nobody asked.
    remark : str
        What is special, in words.
    """

    value: int
    name: str
    overlap: Overlap
    slices: SliceCounts
    surface: SurfaceScores | None = None
    found: ObjectComparison | None = None
    remark: str = ""

    @property
    def objects(self) -> tuple[ObjectScores, ...]:
        """Connected objects, true ones first."""
        return () if self.found is None else self.found.objects

    @property
    def label(self) -> str:
        """``"lung"``, or ``"class 1"`` without a name."""
        return self.name or f"class {self.value}"


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """Scores of a prediction against the truth.

    Parameters
    ----------
    classes : tuple of ClassScores
        Classes of either mask, by value.
    foreground : ClassScores
        Any class against any class; overlap and slices only.
    units : Units
        Pixel size and units.
    world : World
        Turns pixels into world coordinates.
    shape : tuple of int
        Of the masks.
    compared : int
        Pixels that were compared.
    settings : EvaluationSettings
        How.
    notes : tuple of str
        What the user should know.
    seconds : float
        How long it took.
    provenance : mapping
        Files or layers, versions; JSON-serialisable.
    """

    classes: tuple[ClassScores, ...]
    foreground: ClassScores
    units: Units
    world: World
    shape: tuple[int, ...]
    compared: int
    settings: EvaluationSettings
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mean_dice(self) -> float | None:
        """Mean over the classes of the truth."""
        return _mean([each.overlap.dice for each in self.classes if each.overlap.true])

    @property
    def mean_iou(self) -> float | None:
        """Mean over the classes of the truth."""
        return _mean([each.overlap.iou for each in self.classes if each.overlap.true])

    def scores_of(self, value: int) -> ClassScores:
        """Return the scores of a class, :data:`ANY_CLASS` for the foreground."""
        return self.foreground if value == ANY_CLASS else next(each for each in self.classes if each.value == value)

    def curve(self, value: int, axis: int) -> npt.NDArray[np.float64]:
        """Return the Dice of each slice along an axis; NaN where neither mask has the class."""
        return self.scores_of(value).slices.dice(axis)

    @property
    def curve_label(self) -> str:
        """What :meth:`curve` shows."""
        return "Dice"

    def class_rows(self) -> list[Row]:
        """Return a row per class and, if there are several, one of the whole foreground."""
        shown = [*self.classes, self.foreground] if len(self.classes) > 1 else self.classes
        return [self._class_row(each) for each in shown]

    def object_rows(self) -> list[Row]:
        """Return a row per connected object."""
        return [
            {"class": each.value, "name": each.name, "object": number, "status": found.status}
            | self._common(found.overlap, found.surface)
            | self.world.columns(found.centroid)
            | {"remark": found.remark}
            for each in self.classes
            for number, found in enumerate(each.objects, start=1)
        ]

    def slice_rows(self) -> list[Row]:
        """Return a row per class and slice that has it, along every axis."""
        return [
            {"axis": name, "slice": int(index), "class": each.value, "name": each.name}
            | {"dice": float(dice[index])}
            | {f"predicted_{self.units.pixel}": int(each.slices.predicted[axis][index])}
            | {f"true_{self.units.pixel}": int(each.slices.true[axis][index])}
            for each in self.classes
            for axis, name in enumerate(self.units.axes)
            for dice in (each.slices.dice(axis),)
            for index in np.flatnonzero(~np.isnan(dice))
        ]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the slices, ready for JSON.

        The keys ``dice``, ``iou`` (any class against any class), ``mean_dice``, ``mean_iou`` (over classes of the
        truth) and ``classes`` (by value, with the counts ``predicted`` and ``true``) are there in every version.
        """
        rows = {row["class"]: row for row in self.class_rows()}
        return {
            "dice": self.foreground.overlap.dice,
            "iou": self.foreground.overlap.iou,
            "mean_dice": self.mean_dice,
            "mean_iou": self.mean_iou,
            "classes": {
                str(each.value): rows[each.value] | {"predicted": each.overlap.predicted, "true": each.overlap.true}
                for each in self.classes
            },
            "objects": self.object_rows(),
            "units": {"length": self.units.length, "size": self.units.size, "spacing": list(self.units.spacing)},
            "shape": list(self.shape),
            "compared": self.compared,
            "settings": asdict(self.settings) | {"tolerance": self.settings.tolerance_in(self.units.length)},
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
            "provenance": dict(self.provenance),
        }

    def _class_row(self, each: ClassScores) -> Row:
        row = {"class": each.value, "name": each.name} if each.value else {"class": 0, "name": "any class"}
        row |= self._common(each.overlap, each.surface)
        if each.found is not None:
            found = each.found.detection
            row |= {
                "objects_detected": found.detected,
                "objects_missed": found.missed,
                "objects_false_positive": found.false_positives,
                "object_sensitivity": found.sensitivity,
                "object_precision": found.precision,
                "object_f1": found.f1,
            }
        return row | {"remark": each.remark}

    def _common(self, overlap: Overlap, surface: SurfaceScores | None) -> Row:
        size, length = self.units.size, self.units.length
        predicted, true = self.units.size_of(overlap.predicted), self.units.size_of(overlap.true)
        row: Row = dict(overlap.scores())
        row |= {f"predicted_{size}": predicted, f"true_{size}": true}
        row |= {f"predicted_{self.units.pixel}": overlap.predicted, f"true_{self.units.pixel}": overlap.true}
        row[f"difference_{size}"] = predicted - true
        row["difference_percent"] = 100 * (predicted - true) / true if true else None
        if self.settings.surface:
            for name in ("assd", "hd95", "hd"):
                row[f"{name}_{length}"] = getattr(surface, name, None)
            row["surface_dice"] = None if surface is None else surface.surface_dice
        return row


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
