"""Sentences about one patch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from napari_medpatch.plugin.links import spacing_of

if TYPE_CHECKING:
    from napari_medpatch.plugin.heat_map import Cell, HeatMap


def place_in_words(heat: "HeatMap", cell: "Cell") -> str:
    """Return where a patch is: cell, corner and size, in µm where the pixel size is known."""
    box = heat.box_of(cell)
    where = f"Row {cell[0] + 1}, column {cell[1] + 1}"
    spacing = spacing_of(heat.image)
    if spacing is None:
        (y, x), (height, width) = box.start, box.shape
        return f"{where}: x {x}, y {y}, {width} × {height} pixels."
    y, x = (start * size for start, size in zip(box.start, spacing.values, strict=True))
    height, width = (n * size for n, size in zip(box.shape, spacing.values, strict=True))
    unit = "µm" if spacing.unit == "um" else spacing.unit
    return f"{where}: x {x:,.1f} {unit}, y {y:,.1f} {unit}, {width:.0f} × {height:.0f} {unit}."


def extras_in_words(extras: Mapping[str, float]) -> str:
    """Return uncertainty and attention of a patch, empty where there are none."""
    known = [f"{name} {value:.3f}" for name, value in extras.items() if np.isfinite(value)]
    return ", ".join(known).capitalize()
