"""What the current image is, in words."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.layers import META
from napari_medpatch.plugin.listen import listen

if TYPE_CHECKING:
    import napari.layers

_KINDS = {"slide": "Whole-slide image", "photo": "Photograph", "volume": "Volume"}
_UNITS = {"um": "µm", "mm": "mm"}


class ImageHeader(QWidget):
    """Name, kind, size, pixel size and where that came from.

    Parameters
    ----------
    current : CurrentImage
        What it describes.
    """

    def __init__(self, current: CurrentImage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._current = current
        self.name = QLabel()
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        font = self.name.font()
        font.setBold(True)
        self.name.setFont(font)
        self.details = QLabel()
        self.details.setWordWrap(True)
        self.details.setTextFormat(Qt.TextFormat.PlainText)
        self.details.setAccessibleName("Current image")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 2)
        layout.setSpacing(2)
        layout.addWidget(self.name)
        layout.addWidget(self.details)
        current.changed.connect(self._show)
        listen(current.viewer.layers.events.renamed, self._on_renamed)
        self._show()

    def _on_renamed(self, _event: Any = None) -> None:
        self._show()

    def _show(self) -> None:
        layer = self._current.layer
        if layer is None:
            self.name.setText("No image yet")
            self.details.setText("Open a slide, a photograph or a CT volume, or choose a layer that shows one.")
            return
        self.name.setText(_shortened(layer.name))
        self.name.setToolTip(str(layer.metadata.get(META, {}).get("source", layer.name)))
        self.details.setText(describe_layer(layer, str(self._current.kind)))


def describe_layer(layer: "napari.layers.Image", kind: str) -> str:
    """Return kind, size and pixel size of an image layer in one or two lines."""
    facts: dict[str, Any] = layer.metadata.get(META, {})
    shape = facts.get("shape") or list(layer.data.shape[: layer.ndim])
    unit = "voxels" if kind == "volume" else "pixels"
    # People say width × height × slices.
    size = " × ".join(str(n) for n in reversed(shape))
    what = f"{_KINDS.get(kind, 'Image')}, {facts.get('format', 'napari layer')}: {size} {unit}"
    if facts.get("volumes", 1) > 1:
        what += f", volume {facts['volume_index']} of {facts['volumes']}"
    return f"{what}\n{unit[:-1].capitalize()} size {_spacing_in_words(facts, layer)}"


def _spacing_in_words(facts: dict[str, Any], layer: "napari.layers.Image") -> str:
    if not facts:
        sizes = " × ".join(f"{s:.4g}" for s in reversed(layer.scale.tolist()))
        return f"{sizes} {layer.units[-1]}, from the layer"
    spacing = facts.get("spacing")
    if not spacing:
        return "unknown; shown in pixels"
    values = [f"{v:.4g}" for v in reversed(spacing)]
    sizes = values[0] if len(set(values)) == 1 else " × ".join(values)
    unit = facts["spacing_unit"]
    return f"{sizes} {_UNITS.get(unit, unit)}, from {facts['spacing_origin']}"


def _shortened(name: str, limit: int = 48) -> str:
    """Keep the beginning and the suffix of a long file name: a label must not widen the panel."""
    return name if len(name) <= limit else f"{name[: limit - 16]}…{name[-15:]}"
