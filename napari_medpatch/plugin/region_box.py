"""Choosing the region of interest: everything, or what is drawn in a Shapes layer."""

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.form import button, combo
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.region_layer import draw_region, region_layers, region_of

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.patches.roi import Region


class RegionBox(QWidget):
    """A list of Shapes layers on the current image and a button that makes one to draw in.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are listed.
    current : CurrentImage
        The panel's.
    """

    def __init__(self, viewer: "napari.Viewer", current: CurrentImage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer, self.current = viewer, current
        self._layers: list[napari.layers.Shapes] = []
        self.choice = combo()
        self.choice.setMinimumContentsLength(6)
        self.draw_button = button(
            "Draw", "Add a layer and draw polygons on the image: click each corner, Enter closes.", self._draw
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choice, 1)
        layout.addWidget(self.draw_button)
        self.setFocusProxy(self.choice)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.renamed):
            listen(emitter, self._list)
        current.changed.connect(self._list)
        self._list()

    def layer(self) -> "napari.layers.Shapes | None":
        """Return the chosen layer, None for the whole image."""
        index = self.choice.currentIndex() - 1
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def region(self) -> "Region | None":
        """Return what is drawn in the chosen layer, None for the whole image.

        Raises
        ------
        GeometryError
            If the chosen layer holds no area.
        """
        from napari_medpatch.errors import GeometryError

        layer = self.layer()
        if layer is None or self.current.layer is None:
            return None
        region = region_of(layer, self.current.layer)
        if region is None:
            raise GeometryError(
                f"Layer {layer.name} encloses no area; draw a polygon, rectangle or ellipse in it, or choose the "
                "whole image as region."
            )
        return region

    def setToolTip(self, tip: str) -> None:
        self.choice.setToolTip(tip)
        super().setToolTip(tip)

    def setAccessibleName(self, name: str) -> None:
        self.choice.setAccessibleName(name)
        super().setAccessibleName(name)

    def _draw(self) -> None:
        if self.current.layer is not None:
            layer = draw_region(self.viewer, self.current.layer)
            self._list()
            self.choice.setCurrentIndex(1 + self._layers.index(layer))

    def _list(self, _event: Any = None) -> None:
        """Follow the layer list, keeping the choice."""
        chosen = self.layer()
        self._layers = region_layers(self.viewer, self.current.layer)
        self.choice.blockSignals(True)
        self.choice.clear()
        self.choice.addItem("whole image")
        self.choice.addItems([layer.name for layer in self._layers])
        self.choice.setCurrentIndex(1 + self._layers.index(chosen) if chosen in self._layers else 0)
        self.choice.blockSignals(False)
