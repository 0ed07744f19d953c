"""What cleaning does to a mask's layer: values, classes, colours, provenance, and what can be undone."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.infer.clean.history import CleanHistory, CleanRecord
from napari_medpatch.plugin.layers import META, mask_colours, provenance, role_of
from napari_medpatch.plugin.links import belongs_to, image_of
from napari_medpatch.plugin.overlays import QUIET

if TYPE_CHECKING:
    import napari
    import napari.layers

CHANGE = "clean-up preview"
_ADDED, _REMOVED = 1, 2
_COLOURS = {_ADDED: "#009e73", _REMOVED: "#d55e00"}
"""Green and orange that colour-blind people can tell apart."""
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
_histories: "weakref.WeakKeyDictionary[Any, CleanHistory]" = weakref.WeakKeyDictionary()


def is_mask(layer: "napari.layers.Layer") -> bool:
    """Return whether a layer can be cleaned: a mask of ours, or labels of other origin in one resolution."""
    from napari.layers import Labels

    return (
        isinstance(layer, Labels)
        and not layer.multiscale
        and isinstance(layer.data, np.ndarray)
        and role_of(layer) in ("", "mask")
    )


def class_names(layer: "napari.layers.Labels") -> tuple[str, ...]:
    """Return the names of the values 1, 2, … of a mask."""
    return tuple(str(name) for name in layer.metadata.get(META, {}).get("class_names", ()))


def history(layer: "napari.layers.Labels") -> CleanHistory:
    """Return what was cleaned in a layer."""
    return _histories.setdefault(layer, CleanHistory())


def forget(layer: "napari.layers.Layer") -> None:
    """Forget what was cleaned: the layer is about to be filled anew."""
    _histories.pop(layer, None)


def show_classes(layer: "napari.layers.Labels", names: Sequence[str]) -> None:
    """Give a mask other classes, with their colours, and write down what is in force."""
    facts = layer.metadata.setdefault(META, {})
    renamed = tuple(names) != class_names(layer)
    facts["class_names"] = list(names)
    made = facts.setdefault("provenance", {})
    made["clean_up"] = history(layer).records()
    if renamed and role_of(layer) == "mask":
        from napari.utils.colormaps import DirectLabelColormap

        layer.colormap = DirectLabelColormap(color_dict=mask_colours(len(names)))
    layer.refresh(**QUIET)
    if not layer.visible:
        # napari keeps quiet about hidden layers; measurements of this one are out of date all the same.
        layer.events.set_data()


def change_of(record: CleanRecord, shape: Sequence[int]) -> "np.ndarray[Any, Any]":
    """Return uint8 of a mask's shape: 1 where a clean-up would add or change a class, 2 where it would remove one."""
    values, after = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    record.delta.paint_old(values)
    record.delta.paint_new(after)
    values[values > 0] = _REMOVED
    values[after > 0] = _ADDED
    return values


def show_change(viewer: "napari.Viewer", layer: "napari.layers.Labels", values: "np.ndarray[Any, Any]") -> None:
    """Show what a clean-up would change, as a layer above the mask."""
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    drop_change(viewer, layer)
    place = {key: getattr(layer, key) for key in _PLACE}
    names = ["added or changed", "removed"]
    facts = provenance(image_of(layer) or layer, CHANGE, class_names=names, mask_id=layer.unique_id.hex)
    change = Labels(values, name=f"{layer.name} {CHANGE}", metadata=facts, **place)
    change.colormap = DirectLabelColormap(color_dict={None: "grey", 0: "transparent", **_COLOURS})
    image = image_of(layer)
    if image is not None:
        belongs_to(change, image)
    selected = list(viewer.layers.selection)
    viewer.layers.insert(viewer.layers.index(layer) + 1, change)
    viewer.layers.selection = selected


def drop_change(viewer: "napari.Viewer", layer: "napari.layers.Labels") -> None:
    """Remove the preview of a mask's clean-up."""
    for other in list(viewer.layers):
        if role_of(other) == CHANGE and other.metadata[META]["mask_id"] == layer.unique_id.hex:
            viewer.layers.remove(other)
