"""Which probability maps belong together: those of all classes of one run."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from napari_medpatch.plugin.layers import META, role_of

if TYPE_CHECKING:
    import napari.layers

RUN = "run"
"""Key in a layer's facts: layers of one run have the same value, those of no other run have it."""


def maps_of_run(
    layer: "napari.layers.Layer", layers: "Iterable[napari.layers.Layer]"
) -> "list[napari.layers.Layer] | None":
    """Return the maps of all classes of a map's run, in the order of classes.

    Parameters
    ----------
    layer : layer
        One of them. Where the user duplicated layers, it is the one that is taken.
    layers : iterable of layer
        Where to look for the others.

    Returns
    -------
    list of layer or None
        None if some were removed, or the layer does not say of which run it is.
    """
    facts = layer.metadata.get(META, {})
    if role_of(layer) != "probability" or RUN not in facts:
        return None
    of_run = [each for each in layers if role_of(each) == "probability" and each.metadata[META].get(RUN) == facts[RUN]]
    by_class = {each.metadata[META]["class_index"]: each for each in (*of_run, layer)}
    return [by_class[index] for index in sorted(by_class)] if len(by_class) == len(facts["class_names"]) else None


def which_maps(layer: "napari.layers.Layer", written: "Sequence[napari.layers.Layer]") -> str:
    """Return in words which maps are written with a map, empty where that goes without saying."""
    names = layer.metadata.get(META, {}).get("class_names", ())
    if role_of(layer) != "probability" or len(names) < 2:
        return ""
    if len(written) == 1:
        return f"Only this map is written, of {names[layer.metadata[META].get('class_index', 0)]}."
    return f"The maps of all {len(names)} classes of this run are written."
