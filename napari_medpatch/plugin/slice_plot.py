"""A curve over slices; a click goes to the slice."""

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

_LINE, _MARK = (86, 180, 233), (213, 94, 0)


class SlicePlot(QWidget):
    """Value by slice, the current slice marked; pyqtgraph is loaded with the first curve.

    Signals
    -------
    clicked (int)
        The slice that was clicked.
    """

    clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot: Any = None
        self._labels = ("slice", "")
        self.values: npt.NDArray[np.float64] = np.empty(0)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setMinimumHeight(140)
        self.setMaximumHeight(220)
        self.setAccessibleName("Curve by slice")
        self.setToolTip("Value of each slice along the axis. Click to go to a slice; the line marks the current one.")

    def show_curve(self, values: npt.NDArray[np.float64], x_label: str, y_label: str, top: float) -> None:
        """Draw a curve.

        Parameters
        ----------
        values : ndarray
            (slices,) float64; NaN leaves a gap.
        x_label, y_label : str
            Of the axes.
        top : float
            Upper end of the y axis; 0 takes it from the values.
        """
        self._make()
        self.values, self._labels = values, (x_label, y_label)
        self._take_theme()
        self._curve.setData(np.arange(len(values)), values, connect="finite")
        highest = top or float(np.nanmax(values, initial=0.0)) or 1.0
        self._plot.setXRange(0, max(1, len(values) - 1), padding=0.02)
        self._plot.setYRange(0, highest, padding=0.04)

    def mark(self, index: int) -> None:
        """Mark the current slice."""
        if self._plot is not None:
            self.line.setValue(index)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._take_theme()

    def _take_theme(self) -> None:
        """Draw axes in the colour of the window's text, on whatever lies behind."""
        if self._plot is None:
            return
        self._plot.setBackground(None)
        self._plot.setStyleSheet("background: transparent;")
        colour = self.palette().color(self.foregroundRole())
        for side, name in zip(("bottom", "left"), self._labels, strict=True):
            axis = self._plot.getAxis(side)
            axis.setPen(colour)
            axis.setTextPen(colour)
            axis.enableAutoSIPrefix(False)
            self._plot.setLabel(side, name, color=colour.name())

    def _make(self) -> None:
        if self._plot is not None:
            return
        import pyqtgraph

        self._plot = pyqtgraph.PlotWidget(background=None)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        # The button below does what a key could do here.
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._curve = self._plot.plot(
            pen=pyqtgraph.mkPen(_LINE, width=2), symbol="o", symbolSize=4, symbolPen=None, symbolBrush=_LINE
        )
        self.line = pyqtgraph.InfiniteLine(0, pen=pyqtgraph.mkPen(_MARK, width=2))
        self._plot.addItem(self.line)
        self._plot.scene().sigMouseClicked.connect(self._on_click)
        self._layout.addWidget(self._plot)

    def _on_click(self, event: Any) -> None:
        place = self._plot.getViewBox().mapSceneToView(event.scenePos())
        if len(self.values):
            self.clicked.emit(int(np.clip(round(place.x()), 0, len(self.values) - 1)))
