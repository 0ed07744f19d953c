"""Layers that are hidden while something else is looked at."""

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari.layers


class StandingBack:
    """Hides layers and brings back those that it hid."""

    def __init__(self) -> None:
        self._hidden: weakref.WeakSet[napari.layers.Layer] = weakref.WeakSet()

    def hide(self, layers: "Iterable[napari.layers.Layer]") -> None:
        """Hide layers; others come back."""
        wanted = list(layers)
        for layer in [layer for layer in self._hidden if layer not in wanted]:
            self._bring_back(layer)
        for layer in wanted:
            if layer.visible:
                layer.visible = False
                self._hidden.add(layer)

    def bring_back(self) -> None:
        """Show what was hidden."""
        self.hide(())

    def _bring_back(self, layer: "napari.layers.Layer") -> None:
        self._hidden.discard(layer)
        layer.visible = True
