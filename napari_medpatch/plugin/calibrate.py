"""What the user tells us about an open image: its pixel size, which volume, which picture."""

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.errors import WrongKindError
from napari_medpatch.plugin.layers import LIVE, facts, placement
from napari_medpatch.plugin.links import image_of, live_source

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.io.source import Source
    from napari_medpatch.plugin.opening import Opener


def set_pixel_size(viewer: "napari.Viewer", layer: "napari.layers.Image", mpp: tuple[float, float]) -> None:
    """Give an open slide its pixel size; layers that lie on it are scaled with it.

    Parameters
    ----------
    viewer : napari.Viewer
        Holds the slide.
    layer : Image
        Of a slide.
    mpp : tuple of float
        µm per pixel, ``(y, x)``.
    """
    from napari_medpatch.io.detect import open_source
    from napari_medpatch.plugin.open import tile_cache

    source = open_source(_live(layer).path, mpp=mpp, cache=tile_cache())
    layer.metadata[LIVE] = source
    layer.metadata["medpatch"] = facts(source)
    place = placement(source)
    ratio = np.asarray(place["scale"]) / layer.scale
    for each in (layer, *results_on(viewer, layer)):
        each.scale, each.translate = each.scale * ratio, each.translate * ratio
        each.units = place["units"]


def results_on(viewer: "napari.Viewer", image: "napari.layers.Image") -> list["napari.layers.Layer"]:
    """Return the result layers of an image."""
    return [layer for layer in viewer.layers if layer is not image and image_of(layer) is image]


def associated_names(source: "Source") -> list[str]:
    """Return the names of the pictures that a slide's file holds beside the scan."""
    pictures = getattr(source, "associated", None)
    return sorted(pictures()) if pictures is not None else []


def add_associated(viewer: "napari.Viewer", layer: "napari.layers.Image", name: str) -> None:
    """Show a label, macro or thumbnail picture as a layer of its own, in pixels."""
    pictures: Any = _live(layer).associated()  # type: ignore[attr-defined]
    viewer.add_image(
        pictures[name](), name=f"{layer.name} {name}", rgb=True, metadata={"medpatch": {"role": "picture"}}
    )


def change_volume(opener: "Opener", layer: "napari.layers.Image", index: int) -> None:
    """Open another volume of a 4D file, as a layer of its own so that results stay on theirs."""
    opener.open([_live(layer).path], volume_index=index)


def _live(layer: "napari.layers.Image") -> "Source":
    """Return the open source: the Open tab offers these only for layers that have one."""
    source = live_source(layer)
    if source is None:
        raise WrongKindError(f"Layer {layer.name} was not opened by MedPatch; open its file with the Open tab.")
    return source
