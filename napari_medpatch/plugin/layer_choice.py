"""A drop-down list of layers that follows the viewer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.plugin.form import combo
from napari_medpatch.plugin.listen import listen

if TYPE_CHECKING:
    import napari
    import napari.layers


class LayerChoice(QWidget):
    """Lists the layers that fit, the newest first; that one is chosen until somebody chooses another.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are listed.
    fits : callable
        Takes a layer, returns whether it is listed.
    none : str
        First entry, for no layer; empty lists layers only.

    Signals
    -------
    changed
        Another layer is chosen, by the user or because the chosen one was removed.
    """

    changed = Signal()

    def __init__(
        self,
        viewer: "napari.Viewer",
        fits: "Callable[[napari.layers.Layer], bool]",
        none: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.viewer, self._fits, self._none = viewer, fits, none
        self._layers: list[napari.layers.Layer | None] = []
        self._by_hand = False
        self.list = combo()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list)
        self.setFocusProxy(self.list)
        self.list.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.list.activated.connect(self._on_activated)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.renamed, events.reordered):
            listen(emitter, self._follow)
        self._follow()

    def layer(self) -> Any:
        """Return the chosen layer, None if there is none."""
        index = self.list.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer: "napari.layers.Layer | None") -> None:
        """Choose a layer that is listed."""
        if layer in self._layers:
            self._by_hand = True
            self.list.setCurrentIndex(self._layers.index(layer))

    def refresh(self) -> None:
        """List the layers that fit now; what fits may depend on more than the layers."""
        self._follow()

    def __len__(self) -> int:
        return sum(layer is not None for layer in self._layers)

    def setToolTip(self, tip: str) -> None:
        self.list.setToolTip(tip)
        super().setToolTip(tip)

    def setAccessibleName(self, name: str) -> None:
        self.list.setAccessibleName(name)
        super().setAccessibleName(name)

    def _on_activated(self, _index: int) -> None:
        self._by_hand = True

    def _follow(self, _event: Any = None) -> None:
        """Follow the layer list, keeping the user's choice."""
        before = self.layer()
        fitting = [layer for layer in reversed(self.viewer.layers) if self._fits(layer)]
        self._layers = [None, *fitting] if self._none else [*fitting]
        self.list.blockSignals(True)
        self.list.clear()
        self.list.addItems([self._none if layer is None else layer.name for layer in self._layers])
        self._by_hand = self._by_hand and before in self._layers
        self.list.setCurrentIndex(self._layers.index(before) if self._by_hand else 0)
        self.list.blockSignals(False)
        if self.layer() is not before:
            self.changed.emit()
