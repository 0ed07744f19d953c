"""A curve over slices; a click goes to the slice."""

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_medpatch.plugin.small_plot import BLUE, ORANGE, SmallPlot


class SlicePlot(SmallPlot):
    """Value by slice, the current slice marked.

    Signals
    -------
    clicked (int)
        The slice that was clicked.
    """

    clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Curve by slice",
            "Value of each slice along the axis. Click to go to a slice; the line marks the current one.",
            (140, 220),
            parent,
        )
        self.line: Any = None
        self.values: npt.NDArray[np.float64] = np.empty(0)

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
        self.show_axes({"bottom": x_label, "left": y_label})
        self.values = values
        self._curve.setData(np.arange(len(values)), values, connect="finite")
        highest = top or float(np.nanmax(values, initial=0.0)) or 1.0
        self.chart().setXRange(0, max(1, len(values) - 1), padding=0.02)
        self.chart().setYRange(0, highest, padding=0.04)

    def mark(self, index: int) -> None:
        """Mark the current slice."""
        if self.line is not None:
            self.line.setValue(index)

    def fill(self, chart: Any) -> None:
        import pyqtgraph

        self._curve = chart.plot(
            pen=pyqtgraph.mkPen(BLUE, width=2), symbol="o", symbolSize=4, symbolPen=None, symbolBrush=BLUE
        )
        self.line = pyqtgraph.InfiniteLine(0, pen=pyqtgraph.mkPen(ORANGE, width=2))
        chart.addItem(self.line)
        chart.scene().sigMouseClicked.connect(self._on_click)

    def _on_click(self, event: Any) -> None:
        place = self.chart().getViewBox().mapSceneToView(event.scenePos())
        if len(self.values):
            self.clicked.emit(int(np.clip(round(place.x()), 0, len(self.values) - 1)))
