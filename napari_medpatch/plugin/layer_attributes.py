"""What the attributes of a layer say, as napari hands them to writers."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.errors import OutputError
from napari_medpatch.plugin.layers import LIVE, META
from napari_medpatch.plugin.probability_maps import RUN

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source

_MM = {"millimeter": 1.0, "mm": 1.0, "micrometer": 1e-3, "um": 1e-3, "meter": 1e3}


def facts_in(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return our facts about a layer, empty for layers from elsewhere."""
    return attributes.get("metadata", {}).get(META, {})


def live_in(attributes: Mapping[str, Any]) -> "Source | None":
    """Return the open image that a layer belongs to."""
    return attributes.get("metadata", {}).get(LIVE)


_OF_THE_SESSION = ("class_names", "class_index", "mask_id", RUN)
"""Facts that only the layers of one window make something of; names are kept in their own place."""


def provenance_in(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is worth keeping beside the values."""
    return {key: value for key, value in facts.items() if key not in _OF_THE_SESSION}


def source_in(values: "np.ndarray[Any, Any]", attributes: Mapping[str, Any]) -> "Source":
    """Return the image of a result; labels from elsewhere get a grid of their layer's scale."""
    from napari_medpatch.io.array_source import ArraySource

    live = live_in(attributes)
    if live is not None:
        return live
    name = str(attributes.get("name", "labels"))
    if values.ndim not in (2, 3):
        raise OutputError(f"Layer {name} has {values.ndim} dimensions; pictures have 2 and volumes 3.")
    kind = "volume" if values.ndim == 3 else "photo"
    # Only its grid is used; one byte repeated stands for the pixels.
    blank = np.broadcast_to(np.uint8(0), values.shape if kind == "volume" else (*values.shape, 3))
    return ArraySource(blank, kind, spacing=_scale(attributes, kind), path=Path(name))


def _scale(attributes: Mapping[str, Any], kind: str) -> tuple[float, ...] | None:
    factors = [_MM.get(str(unit)) for unit in attributes.get("units", ())]
    if not factors or None in factors:
        return None
    per = 1.0 if kind == "volume" else 1e3
    return tuple(float(s) * f * per for s, f in zip(attributes["scale"], factors, strict=True))


def class_colours(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ``#rrggbb`` of the values 1, 2, … of a labels layer; empty text where the layer gives a value none."""
    table = getattr(attributes.get("colormap"), "color_dict", None)
    if table is None:
        return tuple(facts_in(attributes).get("colours", ()))
    known = {value: colour for value, colour in table.items() if isinstance(value, int) and value > 0}
    return tuple(
        "#{:02x}{:02x}{:02x}".format(*(round(float(c) * 255) for c in known[value][:3])) if value in known else ""
        for value in range(1, max(known, default=0) + 1)
    )
