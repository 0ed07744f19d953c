"""The image that the panel works on: it follows the selected layer."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_medpatch.plugin.links import bare, image_of, kind_of, live_source
from napari_medpatch.plugin.listen import listen

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.io.source import Kind, Source


class CurrentImage(QObject):
    """Follows the selection of a viewer.

    The selected image; the image of a selected result; otherwise the image before, as long as it is in
    the viewer; otherwise the newest image.

    Parameters
    ----------
    viewer : napari.Viewer
        Or napari's proxy of it.

    Signals
    -------
    changed
        Another image, another pixel size, or none.
    """

    changed = Signal()

    def __init__(self, viewer: "napari.Viewer", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = bare(viewer)
        self.layer: napari.layers.Image | None = None
        layers = self.viewer.layers
        for emitter in (layers.selection.events.active, layers.events.inserted, layers.events.removed):
            listen(emitter, self._follow)
        self._follow()

    @property
    def kind(self) -> "Kind | None":
        """Kind of the image, None without one."""
        return kind_of(self.layer)

    @property
    def live(self) -> "Source | None":
        """The open source behind the image; None for layers of other origin, which jobs read when they start."""
        return live_source(self.layer)

    def refresh(self) -> None:
        """Tell the followers that something about the image changed."""
        self.changed.emit()

    def _follow(self, _event: Any = None) -> None:
        chosen = self._choose()
        if chosen is not self.layer:
            self.layer = chosen
            self.changed.emit()

    def _choose(self) -> "napari.layers.Image | None":
        layers = self.viewer.layers
        candidates = [image_of(layers.selection.active), self.layer]
        candidates += [layer for layer in reversed(layers) if kind_of(layer)]
        return next((layer for layer in candidates if layer is not None and layer in layers), None)
