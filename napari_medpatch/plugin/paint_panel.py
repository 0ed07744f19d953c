"""The brush: what it does, how large it is, whether it reaches into neighbouring slices."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QPushButton, QSlider, QVBoxLayout, QWidget

from napari_medpatch.plugin.form import add_row, check, new_form
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.settings import keep, preference

if TYPE_CHECKING:
    import napari.layers

_MODES = (
    ("Paint", "paint", "Paint with the selected class (napari's key 2)."),
    ("Erase", "erase", "Make it unlabelled again (key 1)."),
    ("Fill", "fill", "Fill an outlined region with the selected class (key 4). In 3D this can take long."),
    ("Move", "pan_zoom", "Move and zoom the view (key 6)."),
)
_SIZES = (("Fine", 3), ("Medium", 10), ("Broad", 30))


class PaintPanel(QWidget):
    """Controls of one labels layer's brush; follows the layer when the user changes it elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: napari.layers.Labels | None = None
        self.buttons: dict[str, QPushButton] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._mode_grid())
        layout.addLayout(self._size_form())
        self.in_3d = check(
            "&3D brush: reaches into neighbouring slices",
            "Paint a ball instead of a disc. It is round in mm, so it reaches into few thick slices.",
            checked=False,
        )
        self.in_3d.toggled.connect(self._on_3d)
        layout.addWidget(self.in_3d)
        self.setEnabled(False)

    def follow(self, layer: "napari.layers.Labels | None") -> None:
        """Work on another layer."""
        if layer is self._layer:
            return
        self._layer = layer
        self.setEnabled(layer is not None)
        if layer is None:
            return
        self.in_3d.setVisible(layer.ndim == 3)
        self.in_3d.setChecked(layer.n_edit_dimensions == 3)
        layer.brush_size = self.size.value()
        listen(layer.events.mode, self._on_layer_mode)
        listen(layer.events.brush_size, self._on_layer_size)
        self._on_layer_mode()

    def _mode_grid(self) -> QGridLayout:
        grid, group = QGridLayout(), QButtonGroup(self)
        for column, (text, mode, tip) in enumerate(_MODES):
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked=False, m=mode: self._set_mode(m))
            group.addButton(button)
            grid.addWidget(button, 0, column)
            self.buttons[mode] = button
        for column, (text, size) in enumerate(_SIZES):
            button = QPushButton(text)
            button.setToolTip(f"A brush of {size} pixels.")
            button.clicked.connect(lambda _checked=False, s=size: self._choose_size(s))
            grid.addWidget(button, 1, column)
        return grid

    def _size_form(self):
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setRange(1, 200)
        self.size.setValue(int(preference("learning", "brush_size")))
        self.size.valueChanged.connect(self._on_size)
        form = new_form()
        add_row(form, "Brush si&ze", self.size, "Diameter of the brush in pixels of the labels (keys [ and ]).")
        return form

    def _choose_size(self, size: int) -> None:
        self.size.setValue(size)
        self._set_mode("paint")

    def _set_mode(self, mode: str) -> None:
        if self._layer is not None:
            self._layer.mode = mode

    def _on_size(self, size: int) -> None:
        keep("learning", "brush_size", int(size))
        if self._layer is not None and int(self._layer.brush_size) != size:
            self._layer.brush_size = size

    def _on_3d(self, on: bool) -> None:
        if self._layer is not None and self._layer.ndim == 3:
            self._layer.n_edit_dimensions = 3 if on else 2

    def _on_layer_mode(self, _event: Any = None) -> None:
        if self._layer is not None:
            button = self.buttons.get(str(self._layer.mode))
            if button is not None:
                button.setChecked(True)

    def _on_layer_size(self, _event: Any = None) -> None:
        if self._layer is not None:
            self.size.setValue(int(self._layer.brush_size))
