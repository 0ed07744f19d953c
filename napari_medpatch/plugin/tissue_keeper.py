"""Keeps a corrected tissue mask on disk while the user paints."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication

from napari_medpatch.plugin.links import source_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.stroke_keeper import StrokeKeeper

if TYPE_CHECKING:
    import napari
    import napari.layers
    import numpy as np


class TissueKeeper(QObject):
    """Watches one tissue layer for as long as it is in its viewer; writes it within seconds of a change.

    Parameters
    ----------
    viewer : napari.Viewer
        Of the layer.
    image : Image
        Whose tissue it is.
    layer : Labels
        1 is tissue. What it holds now counts as kept.
    """

    def __init__(self, viewer: "napari.Viewer", image: "napari.layers.Image", layer: "napari.layers.Labels") -> None:
        # The application owns it: a layer lives longer than the dock that made it.
        super().__init__(QApplication.instance())
        self._viewer, self._image, self._layer = viewer, image, layer
        self._strokes = StrokeKeeper(self)
        self._strokes.watch(layer, self._save, is_written=True)
        listen(viewer.layers.events.removed, self._on_removed)

    def _save(self, labels: "np.ndarray[Any, Any]") -> None:
        """Keep the mask as corrected; called in a worker."""
        from napari_medpatch.patches.kept_tissue import keep_edited_tissue
        from napari_medpatch.patches.tissue import TissueMask

        facts = self._layer.metadata["medpatch"]
        y, x = facts["downsample"]
        keep_edited_tissue(source_of(self._image), TissueMask(labels > 0, (y, x)), facts["method"])
        facts["edited"] = True

    def _on_removed(self, _event: Any = None) -> None:
        if self._layer not in self._viewer.layers:
            self._strokes.watch(None)
            self.deleteLater()


def keep_corrections(viewer: "napari.Viewer", image: "napari.layers.Image", layer: "napari.layers.Labels") -> None:
    """Keep what the user paints into a tissue layer; without a window nobody paints."""
    if QApplication.instance() is not None:
        TissueKeeper(viewer, image, layer)
