"""The tissue mask as a labels layer that the user may correct before a run."""

from typing import TYPE_CHECKING, Any

from napari_medpatch.events import Finished, Job, Noted
from napari_medpatch.geometry import derived_grid
from napari_medpatch.plugin.layers import like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to, image_of

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.io.source import Source
    from napari_medpatch.patches.tissue import TissueMask


def find_tissue(source: "Source") -> Job:
    """Find tissue, as a job; its result is a TissueMask."""
    from napari_medpatch.patches.tissue import TissueMask, tissue_steps

    for step in tissue_steps(source):
        if isinstance(step, TissueMask):
            yield Finished(step)
        else:
            yield Noted(f"Looking for tissue: {step:.0%}.")


def add_tissue(viewer: "napari.Viewer", image: "napari.layers.Image", tissue: "TissueMask") -> "napari.layers.Labels":
    """Show a tissue mask; the layer before it is replaced."""
    import numpy as np
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    earlier = tissue_layer(viewer, image)
    if earlier is not None:
        viewer.layers.remove(earlier)
    place = like_source(image, derived_grid(tissue.downsample, (1.0, 1.0)))
    facts = {"class_names": ["tissue"], "downsample": list(tissue.downsample)}
    layer = Labels(
        tissue.mask.astype(np.uint8),
        name=f"{image.name} tissue",
        opacity=0.4,
        colormap=DirectLabelColormap(color_dict={None: (0, 0, 0, 0), 0: (0, 0, 0, 0), 1: (0.0, 0.62, 0.45, 1.0)}),
        metadata=provenance(image, "tissue", **facts),
        **place,
    )
    belongs_to(layer, image)
    viewer.add_layer(layer)
    layer.selected_label = 1
    return layer


def tissue_layer(viewer: "napari.Viewer", image: Any) -> "napari.layers.Labels | None":
    """Return the tissue layer of an image, None if there is none."""
    found = (layer for layer in viewer.layers if role_of(layer) == "tissue" and image_of(layer) is image)
    return next(found, None)


def tissue_of(layer: "napari.layers.Labels | None") -> "TissueMask | None":
    """Return what the user left in a tissue layer."""
    if layer is None:
        return None
    from napari_medpatch.patches.tissue import TissueMask

    y, x = layer.metadata["medpatch"]["downsample"]
    return TissueMask(layer.data > 0, (y, x))
