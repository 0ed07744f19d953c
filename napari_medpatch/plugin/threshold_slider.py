"""A slider and a number that move together."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

_STEPS = 1000


class ThresholdSlider(QWidget):
    """A probability from 0 to 1.

    Signals
    -------
    changed (float)
        The user moved it.
    """

    changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setPageStep(_STEPS // 20)
        self.slider.setSingleStep(_STEPS // 100)
        self.number = QDoubleSpinBox()
        self.number.setRange(0.0, 1.0)
        self.number.setDecimals(3)
        self.number.setSingleStep(0.01)
        self.number.setAccessibleName("Threshold as a number")
        self.number.setMaximumWidth(self.number.fontMetrics().horizontalAdvance("0.000") + 64)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.number)
        self.setFocusProxy(self.slider)
        self.slider.valueChanged.connect(lambda steps: self._moved(steps / _STEPS))
        self.number.valueChanged.connect(self._moved)

    def value(self) -> float:
        """Return the threshold."""
        return float(self.number.value())

    def setValue(self, value: float) -> None:
        """Show a threshold without telling anybody."""
        for widget, shown in ((self.slider, round(value * _STEPS)), (self.number, value)):
            widget.blockSignals(True)
            widget.setValue(shown)
            widget.blockSignals(False)

    def setToolTip(self, tip: str) -> None:
        for widget in (self.slider, self.number):
            widget.setToolTip(tip)
        super().setToolTip(tip)

    def setAccessibleName(self, name: str) -> None:
        self.slider.setAccessibleName(name)
        super().setAccessibleName(name)

    def _moved(self, value: float) -> None:
        self.setValue(value)
        self.changed.emit(self.value())
