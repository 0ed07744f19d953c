"""Proposed labels as a layer of their own, drawn as outlines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_medpatch.plugin.class_list import Colour, label_colours
from napari_medpatch.plugin.layers import like_source, provenance
from napari_medpatch.plugin.links import belongs_to

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.annotate.interpolate import InterpolationResult

ROLE = "proposal"
_OUTDATED = " (outdated)"


def add_proposal(
    viewer: "napari.Viewer",
    image: "napari.layers.Image",
    result: "InterpolationResult",
    names: Sequence[str],
    colours: Sequence[Colour],
) -> "napari.layers.Labels":
    """Show a proposal above its image; the user goes on with the layer that is selected.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    image : Image
        What was painted on.
    result : InterpolationResult
        The proposal; its array becomes the layer's.
    names, colours : sequence
        Of label values 1, 2, ….
    """
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    layer = Labels(
        result.labels,
        name=f"{image.name} proposal",
        opacity=0.9,
        colormap=DirectLabelColormap(color_dict=label_colours(colours)),
        metadata=provenance(image, ROLE, class_names=list(names), **result.provenance),
        **like_source(image),
    )
    # Outlines, so that nobody takes it for what was painted.
    layer.contour = 1
    belongs_to(layer, image)
    selected = list(viewer.layers.selection)
    viewer.add_layer(layer)
    viewer.layers.selection = selected
    return layer


def mark_outdated(layer: "napari.layers.Labels", outdated: bool) -> None:
    """Say in a proposal's name whether the labels changed since."""
    name = layer.name.removesuffix(_OUTDATED)
    wanted = name + _OUTDATED if outdated else name
    if layer.name != wanted:
        layer.name = wanted
