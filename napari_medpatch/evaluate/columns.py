"""How columns of result tables are headed and their values written, in the window and in reports."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_UNITS: Mapping[str, str] = MappingProxyType(
    {"mm": "mm", "um": "µm", "px": "px", "ml": "ml", "mm2": "mm²", "mm3": "mm³", "voxels": "voxels", "percent": "%"}
    | {"HU": "HU"}
)
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "class": "Value",
        "name": "Class",
        "iou": "IoU",
        "assd": "ASSD",
        "hd95": "HD95",
        "hd": "HD",
        "surface_dice": "Surface Dice",
        "object_f1": "Object F1",
        "sd": "SD",
        "z": "z",
        "y": "y",
        "x": "x",
    }
)
_TIPS: Mapping[str, str] = MappingProxyType(
    {
        "class": "Value of the class in the masks.",
        "dice": "Overlap: twice the common pixels by the sum of both. 1 is perfect.",
        "iou": "Intersection over union (Jaccard index).",
        "sensitivity": "Share of the truth that was found.",
        "specificity": "Share of everything else that was left alone; it grows with the image.",
        "precision": "Share of the prediction that is true.",
        "difference": "Prediction minus truth.",
        "assd": "Average symmetric surface distance.",
        "hd95": "95 % of each surface are no farther from the other than this (Hausdorff distance, 95th percentile).",
        "hd": "Greatest distance from one surface to the other (Hausdorff distance).",
        "surface_dice": "Share of both surfaces that lie within the tolerance of the other.",
        "objects_detected": "True objects that a predicted one overlaps, one to one.",
        "objects_missed": "True objects without a predicted one.",
        "objects_false_positive": "Predicted objects without a true one.",
        "mean": "Mean of the image inside.",
        "sd": "Standard deviation of the image inside.",
        "R": "World coordinate, to the patient's right.",
        "A": "World coordinate, to the patient's front.",
        "S": "World coordinate, to the patient's head.",
    }
)
_SHORT = frozenset({"dice", "iou", "sensitivity", "specificity", "precision", "f1"})


def heading(column: str) -> str:
    """Return the head of a column: ``"HD95 (mm)"`` for ``hd95_mm``."""
    if column in _NAMES:
        return _NAMES[column]
    base, unit = _split(column)
    name = _NAMES.get(base, base.replace("_", " "))
    name = name[:1].upper() + name[1:] if base not in _NAMES else name
    return f"{name} ({_UNITS[unit]})" if unit else name


def tip(column: str) -> str:
    """Return what a column means, empty if its head says it."""
    return _TIPS.get(column) or _TIPS.get(_split(column)[0], "")


def text(column: str, value: Any) -> str:
    """Return a value as people read it; a dash where nothing can be said."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    base, unit = _split(column)
    if base in _SHORT or base.startswith(("object_", "surface_")):
        return f"{value:.3f}"
    if unit == "percent":
        return f"{round(value, 1) + 0.0:+.1f}"
    digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:+.{digits}f}" if base == "difference" else f"{value:.{digits}f}"


def _split(column: str) -> tuple[str, str]:
    """Return name and unit of a column."""
    base, _, last = column.rpartition("_")
    return (base, last) if base and last in _UNITS else (column, "")
