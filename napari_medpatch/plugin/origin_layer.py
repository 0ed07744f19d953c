"""Where each label comes from, as a layer: painted, interpolated or predicted."""

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.plugin.layers import META, like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to, image_of
from napari_medpatch.plugin.overlays import QUIET

if TYPE_CHECKING:
    import napari
    import napari.layers

ROLE = "label origins"
ORIGIN_COLOURS = ("#0072B2", "#E69F00", "#CC79A7")
"""Of painted, interpolated and predicted labels; told apart with every kind of colour blindness."""


def show_origins(viewer: "napari.Viewer", of: "napari.layers.Labels", origins: "np.ndarray[Any, Any]") -> None:
    """Show origins in their layer, made when it is missing.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    of : Labels
        The sparse labels.
    origins : ndarray
        uint8: 0 unlabelled, 1 painted, 2 interpolated, 3 predicted.
    """
    layer = origin_layer(viewer, of)
    if layer is not None:
        layer.data[...] = origins
        layer.refresh(**QUIET)
        return
    layer = _new_layer(of, origins)
    selected = list(viewer.layers.selection)
    viewer.add_layer(layer)
    viewer.layers.selection = selected
    layer.editable = False


def origin_layer(viewer: "napari.Viewer", of: "napari.layers.Labels | None") -> "napari.layers.Labels | None":
    """Return the layer that shows the origins of labels, None if there is none."""
    return next(
        (
            layer
            for layer in viewer.layers
            if of is not None and role_of(layer) == ROLE and layer.metadata[META]["labels"] == of.unique_id.hex
        ),
        None,
    )


def _new_layer(of: "napari.layers.Labels", origins: "np.ndarray[Any, Any]") -> "napari.layers.Labels":
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    from napari_medpatch.annotate.origins import ORIGIN_NAMES

    colours = {None: "transparent", 0: "transparent", **dict(enumerate(ORIGIN_COLOURS, start=1))}
    image = image_of(of)
    layer = Labels(
        origins,
        name=f"{of.name} origins",
        opacity=0.6,
        colormap=DirectLabelColormap(color_dict=colours),
        metadata=provenance(image or of, ROLE, class_names=list(ORIGIN_NAMES), labels=of.unique_id.hex),
        **like_source(of),
    )
    if image is not None:
        belongs_to(layer, image)
    return layer
