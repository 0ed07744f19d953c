"""The layer that shows where a mask is wrong."""

from typing import TYPE_CHECKING, Any

from napari_medpatch.plugin.layers import META, like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to, image_of

if TYPE_CHECKING:
    import napari
    import napari.layers

ROLE = "errors"
LEGEND = (
    "Errors: <b>orange</b> is only in the prediction (false positive), <b>blue</b> only in the truth (missed), "
    "<b>yellow</b> has another class."
)


def show_errors(
    viewer: "napari.Viewer", mask: "napari.layers.Labels", errors: Any, facts: dict[str, Any]
) -> "napari.layers.Labels":
    """Show an error map over its mask; an earlier one of the same mask is replaced.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    mask : Labels layer
        The prediction.
    errors : ndarray
        As :func:`napari_medpatch.evaluate.error_map.error_map` gives it.
    facts : dict
        For the layer's provenance.
    """
    from napari.layers import Labels

    from napari_medpatch.evaluate.error_map import ERROR_NAMES

    image = image_of(mask)
    metadata = provenance(image or mask, ROLE, class_names=list(ERROR_NAMES), **facts)
    # Its name is the user's, who may change it.
    metadata[META] |= {"mask": mask.name, "mask_id": mask.unique_id.hex}
    earlier = error_layer(viewer, mask)
    if earlier is not None and earlier.data.shape == errors.shape:
        earlier.data = errors
        earlier.metadata.update(metadata)
        earlier.visible = True
        return earlier
    selected = list(viewer.layers.selection)
    layer = Labels(
        errors, name=f"{mask.name} errors", opacity=0.8, colormap=_colours(), metadata=metadata, **like_source(mask)
    )
    if image is not None:
        belongs_to(layer, image)
    viewer.add_layer(layer)
    viewer.layers.selection = selected
    return layer


def error_layer(viewer: "napari.Viewer", mask: "napari.layers.Labels") -> "napari.layers.Labels | None":
    """Return the error map of a mask that is in the viewer, None if there is none."""
    for layer in viewer.layers:
        if role_of(layer) == ROLE and layer.metadata[META].get("mask_id") == mask.unique_id.hex:
            return layer  # type: ignore[return-value]
    return None


def _colours() -> Any:
    """Return the colours of the report's pictures."""
    from napari.utils.colormaps import DirectLabelColormap

    from napari_medpatch.evaluate.pictures import PREDICTED_COLOUR, TRUE_COLOUR, WRONG_COLOUR

    table: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    for value, colour in enumerate((PREDICTED_COLOUR, TRUE_COLOUR, WRONG_COLOUR), start=1):
        table[value] = tuple(channel / 255 for channel in colour)
    return DirectLabelColormap(color_dict=table)
