"""The tissue mask as a labels layer that the user may correct before a run."""

from typing import TYPE_CHECKING, Any

from napari_medpatch.events import Finished, Job, Noted
from napari_medpatch.geometry import derived_grid
from napari_medpatch.plugin.layers import like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to, image_of
from napari_medpatch.plugin.tissue_keeper import keep_corrections

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.io.source import Source
    from napari_medpatch.patches.kept_tissue import FoundTissue
    from napari_medpatch.patches.tissue import TissueMask


def find_tissue(source: "Source", method: str = "stain", *, anew: bool = False) -> Job:
    """Look for the tissue of an image, as a job; its result is a FoundTissue.

    Parameters
    ----------
    source : Source
        The image. A mask that its project keeps, found or corrected, is there at once.
    method : str
        A name in :data:`napari_medpatch.patches.tissue_methods.TISSUE_METHODS`.
    anew : bool
        Forget what is kept, corrections too.
    """
    from napari_medpatch.patches.kept_tissue import FoundTissue, tissue_or_kept

    for step in tissue_or_kept(source, method, fresh=anew):
        if isinstance(step, FoundTissue):
            if step.note:
                yield Noted(step.note)
            yield Finished(step)
        else:
            yield Noted(f"Looking for tissue: {step:.0%}.")


def add_tissue(
    viewer: "napari.Viewer", image: "napari.layers.Image", tissue: "TissueMask | FoundTissue"
) -> "napari.layers.Labels":
    """Show a tissue mask; the layer before it is replaced. What the user corrects is kept in the project."""
    import numpy as np
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    from napari_medpatch.patches.kept_tissue import FoundTissue

    found = tissue if isinstance(tissue, FoundTissue) else FoundTissue(tissue, "stain")
    mask = found.tissue
    earlier = tissue_layer(viewer, image)
    if earlier is not None:
        viewer.layers.remove(earlier)
    place = like_source(image, derived_grid(mask.downsample, (1.0, 1.0)))
    facts = {
        "class_names": ["tissue"], "downsample": list(mask.downsample), "outlined": mask.outlined,
        "method": found.method, "edited": found.edited,
    }  # fmt: skip
    layer = Labels(
        mask.mask.astype(np.uint8),
        name=f"{image.name} tissue",
        opacity=0.4,
        colormap=DirectLabelColormap(color_dict={None: (0, 0, 0, 0), 0: (0, 0, 0, 0), 1: (0.0, 0.62, 0.45, 1.0)}),
        metadata=provenance(image, "tissue", **facts),
        **place,
    )
    belongs_to(layer, image)
    viewer.add_layer(layer)
    layer.selected_label = 1
    keep_corrections(viewer, image, layer)
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

    facts = layer.metadata["medpatch"]
    y, x = facts["downsample"]
    # What the brush leaves are pixels: only a mask as WSInfer found it has WSInfer's outline.
    return TissueMask(layer.data > 0, (y, x), facts.get("outlined", False) and not is_edited(layer))


def is_edited(layer: "napari.layers.Labels") -> bool:
    """Whether the user corrected a tissue layer, as far as is kept on disk."""
    return bool(layer.metadata["medpatch"].get("edited", False))


def has_corrections(source: "Source | None") -> bool:
    """Whether a corrected mask is kept for an image; looks for its file only."""
    if source is None or source.kind == "volume":
        return False
    from napari_medpatch.io.project_folder import default_folder
    from napari_medpatch.patches.kept_tissue import EDITED

    return (default_folder(source) / "tissue" / f"{EDITED}.npz").is_file()
