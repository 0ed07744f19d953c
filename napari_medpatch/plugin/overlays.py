"""Result layers that fill while their job runs, on the image the job was started on."""

from typing import TYPE_CHECKING

from napari_medpatch.plugin.links import belongs_to
from napari_medpatch.plugin.messages import warn

if TYPE_CHECKING:
    import napari
    import napari.layers

QUIET = {"extent": False, "thumbnail": False, "highlight": False}
"""Only the pixels changed; napari need not measure or draw a thumbnail ten times a second."""


class ResultLayers:
    """Layers of one job; they are found by identity, and a removed one is never brought back.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they go.
    image : napari image layer
        The image that the job runs on; results are dropped, with a message, once it is removed.
    job : str
        For that message: ``"Segmentation"``.
    """

    def __init__(self, viewer: "napari.Viewer", image: "napari.layers.Image", job: str) -> None:
        self.viewer, self.image, self.job = viewer, image, job
        self.layers: list[napari.layers.Layer] = []
        self._told = False

    @property
    def image_is_there(self) -> bool:
        """Whether the image is still in the viewer; says so once when it is not."""
        there = self.image in self.viewer.layers
        if not there and not self._told:
            self._told = True
            warn(f"{self.job}: the image {self.image.name} was removed, so its result is dropped.")
        return there

    def add(self, layer: "napari.layers.Layer", below: "napari.layers.Layer | None" = None) -> None:
        """Show a result above its image, or just below another result, leaving the user's selection alone."""
        layers = self.viewer.layers
        selected = list(layers.selection)
        belongs_to(layer, self.image)
        layers.insert(layers.index(below) if below in layers else len(layers), layer)
        self.layers.append(layer)
        if selected:
            layers.selection = selected

    def redraw(self) -> None:
        """Draw what was written into the layers' arrays."""
        for layer in self.layers:
            if layer in self.viewer.layers:
                layer.refresh(**QUIET)

    def settle(self) -> None:
        """Draw for the last time, thumbnails too."""
        for layer in self.layers:
            if layer in self.viewer.layers:
                layer.refresh()
