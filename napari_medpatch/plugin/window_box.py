"""Presets, level and width of the current volume's display window."""

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QVBoxLayout, QWidget

from napari_medpatch.io.hu import HU_PRESETS, LevelWidth
from napari_medpatch.plugin.form import add_row, button, check, new_form, note
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.settings import keep
from napari_medpatch.plugin.window_drag import HOW, WindowDrag
from napari_medpatch.plugin.window_level import (
    PERCENTILES,
    decimals_of,
    is_hu,
    least_width,
    percentile_window,
    set_window,
    window_of,
)

if TYPE_CHECKING:
    import napari.layers

_COLUMNS = 3
_FARTHEST = 1e7


class WindowBox(QWidget):
    """Follows one layer's window and changes it.

    Presets are for CT; other volumes get windows between percentiles of their values.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: napari.layers.Image | None = None
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()
        self.drag = WindowDrag(lambda: self._layer, self)
        self.preset_buttons = self._grid(
            {
                f"{name.capitalize()}\n{window}": (
                    f"Show level/width {window} HU. Key on the canvas: Alt+{number}.",
                    partial(self.use_preset, name),
                )
                for number, (name, window) in enumerate(HU_PRESETS.items(), start=1)
            }
        )
        self.percent_buttons = self._grid(
            {
                f"{low:g}–{high:g} %": (
                    f"Black and white are the {low:g}th and {high:g}th percentile of this volume's values.",
                    partial(self._use_percentiles, low, high),
                )
                for low, high in PERCENTILES
            }
        )
        self.heading = note()
        self.level, self.width = QDoubleSpinBox(), QDoubleSpinBox()
        form = new_form()
        add_row(form, "Level", self.level, "Value shown as middle grey.")
        add_row(form, "Width", self.width, "From black to white; narrower is more contrast.")
        self.drag_check = check("Drag it with the right button", f"Instead of zooming. {HOW}", checked=False)
        self.drag_check.toggled.connect(self._on_drag_toggled)
        for field in (self.level, self.width):
            field.setRange(-_FARTHEST, _FARTHEST)
            field.setKeyboardTracking(False)
            field.valueChanged.connect(self._on_number)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.heading, self.preset_buttons, self.percent_buttons):
            layout.addWidget(widget)
        layout.addLayout(form)
        layout.addWidget(self.drag_check)

    def follow(self, layer: "napari.layers.Image | None") -> None:
        """Show another layer's window."""
        self._layer = layer
        self.setEnabled(layer is not None)
        if layer is None:
            return
        if layer not in self._known:
            self._known.add(layer)
            listen(layer.events.contrast_limits, self._on_contrast)
        hounsfield = is_hu(layer)
        self.preset_buttons.setVisible(hounsfield)
        self.percent_buttons.setVisible(not hounsfield)
        self.heading.setText(
            "Window, level/width in HU:" if hounsfield else "Window; the values of this volume do not look like HU:"
        )
        for field in (self.level, self.width):
            with QSignalBlocker(field):
                field.setDecimals(decimals_of(layer))
                field.setSuffix(" HU" if hounsfield else "")
                field.setMinimum(least_width(layer) if field is self.width else -_FARTHEST)
        self._show()

    def use_preset(self, name: str) -> None:
        """Show the layer in one of the HU windows and open the next volume in it too."""
        if self._layer is not None and is_hu(self._layer):
            set_window(self._layer, HU_PRESETS[name])
            keep("volumes", "hu_window", name)

    def _use_percentiles(self, low: float, high: float) -> None:
        if self._layer is not None:
            set_window(self._layer, percentile_window(self._layer, low, high))

    def _on_number(self, _value: float) -> None:
        if self._layer is not None:
            set_window(self._layer, LevelWidth(self.level.value(), self.width.value()))

    def _on_drag_toggled(self, on: bool) -> None:
        self.drag.with_right_button = on

    def _on_contrast(self, event: Any) -> None:
        if event.source is self._layer:
            self._show()

    def _show(self) -> None:
        window = window_of(self._layer)
        for field, value in ((self.level, window.level), (self.width, window.width)):
            field.blockSignals(True)
            field.setSingleStep(max(10.0 ** -field.decimals(), round(window.width / 50, field.decimals())))
            field.setValue(value)
            field.blockSignals(False)

    def _grid(self, buttons: dict[str, tuple[str, Any]]) -> QWidget:
        box, grid = QWidget(), QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        box.setLayout(grid)
        for index, (text, (tip, action)) in enumerate(buttons.items()):
            grid.addWidget(button(text, tip, action), index // _COLUMNS, index % _COLUMNS)
        return box
