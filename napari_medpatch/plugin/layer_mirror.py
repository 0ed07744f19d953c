"""Keeps the layer lists of other viewers like the main one's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.twins import Twins, can_have_twins

if TYPE_CHECKING:
    import napari
    import napari.layers
    from napari.components import ViewerModel

_REDRAW_MS = 60
"""A stroke in one plane reaches the others this much later, all its stamps together."""


class LayerMirror(QObject):
    """Shows the volumes and labels of one viewer in others too.

    Parameters
    ----------
    main : napari.Viewer
        Whose layers.
    others : sequence of ViewerModel
        Empty ones.

    Signals
    -------
    filled
        The others got their first layer.
    emptied
        The last layer is gone.
    """

    filled = Signal()
    emptied = Signal()

    def __init__(self, main: "napari.Viewer", others: "Sequence[ViewerModel]", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.main, self.others = main, list(others)
        self.hidden: list[ViewerModel] = []
        self._twins: dict[napari.layers.Layer, Twins] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REDRAW_MS)
        self._timer.timeout.connect(self.redraw)
        for layer in main.layers:
            self._take(layer)
        self._select()
        events = main.layers.events
        listen(events.inserted, self._on_inserted)
        listen(events.removed, self._on_removed)
        listen(events.reordered, self._on_reordered)
        listen(main.layers.selection.events.active, self._select)

    def redraw(self) -> None:
        """Draw at once what is waiting to be drawn."""
        for twins in self._twins.values():
            twins.redraw(self.hidden)

    def hide(self, viewer: "ViewerModel", *, hidden: bool) -> None:
        """Spare a viewer that nobody sees; it catches up when it is shown."""
        self.hidden = [each for each in self.hidden if each is not viewer] + ([viewer] if hidden else [])
        if not hidden:
            self._timer.start()

    def twin(self, layer: "napari.layers.Layer", viewer: "ViewerModel") -> "napari.layers.Layer":
        """Return what stands for a layer of the main viewer in another one."""
        return self._twins[layer].in_viewer(viewer)

    def close(self) -> None:
        """Let go of all layers."""
        self._timer.stop()
        for twins in self._twins.values():
            twins.leave()
            twins.deleteLater()
        self._twins.clear()

    def _take(self, layer: "napari.layers.Layer") -> None:
        if not can_have_twins(layer):
            return
        twins = Twins(self.main, layer, self)
        twins.stale.connect(self._on_stale)
        index = sum(other in self._twins for other in self.main.layers[: self.main.layers.index(layer)])
        is_first = not self._twins
        self._twins[layer] = twins
        for viewer in self.others:
            twins.add(viewer, index)
        if is_first:
            self.filled.emit()

    def _on_stale(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _on_inserted(self, event: Any) -> None:
        self._take(event.value)
        self._select()

    def _on_removed(self, event: Any) -> None:
        twins = self._twins.pop(event.value, None)
        if twins is None:
            return
        twins.leave()
        twins.deleteLater()
        if not self._twins:
            self.emptied.emit()

    def _on_reordered(self, _event: Any = None) -> None:
        wanted = [layer for layer in self.main.layers if layer in self._twins]
        for viewer in self.others:
            for index, layer in enumerate(wanted):
                now = viewer.layers.index(self.twin(layer, viewer))
                if now != index:
                    viewer.layers.move(now, index)

    def _select(self, _event: Any = None) -> None:
        """Select what is selected in the main viewer: the brush works on it."""
        active = self.main.layers.selection.active
        for viewer in self.others:
            viewer.layers.selection.active = self.twin(active, viewer) if active in self._twins else None
