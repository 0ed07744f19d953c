"""A frame around the selected patch."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject

from napari_medpatch.geometry import Box
from napari_medpatch.plugin.layers import like_source, provenance
from napari_medpatch.plugin.links import belongs_to
from napari_medpatch.plugin.listen import listen

if TYPE_CHECKING:
    import napari
    import napari.layers

_COLOUR = "#ff2d95"
"""Neither in the colours of heat maps nor in stains."""
_WIDTH_PX = 3.0
"""On the screen, whatever the zoom."""


class SelectionFrame(QObject):
    """A Shapes layer with one rectangle, made when it is needed.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it goes.
    """

    def __init__(self, viewer: "napari.Viewer", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.layer: napari.layers.Shapes | None = None
        self._image: napari.layers.Image | None = None
        listen(viewer.camera.events.zoom, self._keep_width)

    def show(self, image: "napari.layers.Image", box: Box) -> None:
        """Frame a box of level-0 pixels."""
        if self.layer is None or self.layer not in self.viewer.layers or self._image is not image:
            self.remove()
            self._add(image)
        y0, x0 = (value - 0.5 for value in box.start)
        y1, x1 = (value - 0.5 for value in box.stop)
        self._raise()
        self.layer.data = [np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])]  # type: ignore[union-attr]
        self._keep_width()

    def remove(self) -> None:
        """Take the frame away."""
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)
        self.layer = None

    def _raise(self) -> None:
        """Put the frame above layers that came later."""
        layers = self.viewer.layers
        if layers[-1] is not self.layer:
            layers.move(layers.index(self.layer), len(layers))

    def _add(self, image: "napari.layers.Image") -> None:
        from napari.layers import Shapes

        self._image = image
        self.layer = Shapes(
            ndim=2,
            name=f"{image.name} selected patch",
            edge_color=_COLOUR,
            face_color="transparent",
            metadata=provenance(image, "selection"),
            **like_source(image),
        )
        self.layer.editable = False
        belongs_to(self.layer, image)
        selected = list(self.viewer.layers.selection)
        self.viewer.add_layer(self.layer)
        self.viewer.layers.selection = selected

    def _keep_width(self, _event: Any = None) -> None:
        if self.layer is None or self.layer not in self.viewer.layers or not self.layer.data:
            return
        step = float(np.mean(np.abs(self.layer.scale)))
        width = _WIDTH_PX / max(self.viewer.camera.zoom, 1e-9) / step
        if abs(width - self.layer.edge_width[0]) > 0.1 * width:
            self.layer.edge_width = width
