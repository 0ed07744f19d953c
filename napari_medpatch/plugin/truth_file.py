"""A truth that lies in a file, as a layer on its image."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.events import Finished, Job, Noted
from napari_medpatch.geometry import GridTransform, derived_grid
from napari_medpatch.plugin.layers import like_source, mask_colours, provenance
from napari_medpatch.plugin.links import belongs_to, source_of

if TYPE_CHECKING:
    import napari
    import napari.layers

ROLE = "truth"


def reading_truth(image: "napari.layers.Image", path: Path) -> Job:
    """Read a mask file onto an image's grid, as a job; its result is a MaskFile and where it lies on the image."""
    from napari_medpatch.evaluate.mask_files import read_mask
    from napari_medpatch.io.labels_file import labels_downsample

    yield Noted(f"Reading {path.name}…")
    source = source_of(image)
    mask = read_mask(path, source)
    place: GridTransform | None = None
    if source.kind == "slide":
        place = derived_grid(labels_downsample(mask.values, source), (1.0, 1.0))
    yield Finished((mask, place))


def add_truth(viewer: "napari.Viewer", image: "napari.layers.Image", mask: Any, place: Any) -> "napari.layers.Labels":
    """Add what was read as a layer on the image.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    image : Image
        What it lies on.
    mask : MaskFile
        Values and names.
    place : GridTransform or None
        Of a coarser grid on a slide.
    """
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    facts = {"class_names": list(mask.class_names), "file": str(mask.path)}
    layer = Labels(
        mask.values,
        name=f"{image.name} truth",
        opacity=0.5,
        colormap=DirectLabelColormap(color_dict=mask_colours(int(mask.values.max(initial=0)))),
        metadata=provenance(image, ROLE, **facts),
        **like_source(image, place),
    )
    belongs_to(layer, image)
    selected = list(viewer.layers.selection)
    viewer.add_layer(layer)
    viewer.layers.selection = selected
    return layer
