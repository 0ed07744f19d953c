"""How the probabilities of the displayed class are spread, with the threshold as a line to drag."""

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.plugin.score_tally import BINS

_LINE = (213, 94, 0)


class HistogramPlot(QWidget):
    """Bars in the colours of the heat map, so that they are its legend too.

    pyqtgraph is loaded when the first numbers come.

    Signals
    -------
    moved (float)
        The user dragged the line.
    """

    moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot: Any = None
        self._colours: npt.NDArray[Any] | None = None
        self.counts: npt.NDArray[np.int64] = np.zeros(BINS, np.int64)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setMinimumHeight(96)
        self.setMaximumHeight(140)
        self.setAccessibleName("Histogram of the displayed class")
        self.setToolTip(
            "Patches by probability. Heights are square roots of the counts, so that a few tumour patches among "
            "thousands can be seen; colours are those of the heat map. Drag the line to move the threshold."
        )

    def show_counts(self, counts: npt.NDArray[np.int64], colours: npt.NDArray[Any]) -> None:
        """Draw bars.

        Parameters
        ----------
        counts : ndarray
            ``(50,) int64``, patches per bin from 0 to 1.
        colours : ndarray
            ``(50, 4)``, 0 to 1.
        """
        self._make()
        self.counts = counts.copy()
        self._bars.setOpts(height=np.sqrt(counts), **self._changed(colours))
        self._plot.setYRange(0, max(1.0, float(np.sqrt(counts.max()))), padding=0.02)

    def _changed(self, colours: npt.NDArray[Any]) -> dict[str, Any]:
        """Return brushes if the colours are others than before: making fifty takes longer than drawing them."""
        if self._colours is not None and np.array_equal(self._colours, colours):
            return {}
        self._colours = colours
        return {"brushes": [tuple(int(255 * channel) for channel in colour[:3]) for colour in colours]}

    def show_threshold(self, value: float | None) -> None:
        """Put the line at a threshold; None hides it."""
        self._make()
        self.line.setVisible(value is not None)
        if value is not None:
            self.line.blockSignals(True)
            self.line.setValue(value)
            self.line.blockSignals(False)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._take_theme()

    def _take_theme(self) -> None:
        """Draw the axis in the colour of the window's text, on whatever lies behind."""
        if self._plot is None:
            return
        self._plot.setBackground(None)
        self._plot.setStyleSheet("background: transparent;")
        text = self.palette().color(self.foregroundRole())
        axis = self._plot.getAxis("bottom")
        axis.setPen(text)
        axis.setTextPen(text)

    def _make(self) -> None:
        if self._plot is not None:
            return
        import pyqtgraph

        self._plot = pyqtgraph.PlotWidget(background=None)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.hideAxis("left")
        self._plot.getAxis("bottom").setTicks([[(value, f"{value:g}") for value in (0, 0.25, 0.5, 0.75, 1)]])
        self._plot.setXRange(0, 1, padding=0.03)
        self._take_theme()
        middles = (np.arange(BINS) + 0.5) / BINS
        self._bars = pyqtgraph.BarGraphItem(x=middles, height=np.zeros(BINS), width=1 / BINS, pen=None)
        self.line = pyqtgraph.InfiniteLine(
            0.5,
            movable=True,
            bounds=(0, 1),
            pen=pyqtgraph.mkPen(_LINE, width=2),
            hoverPen=pyqtgraph.mkPen(_LINE, width=4),
        )
        self.line.sigPositionChanged.connect(lambda line: self.moved.emit(float(line.value())))
        self._plot.addItem(self._bars)
        self._plot.addItem(self.line)
        self._layout.addWidget(self._plot)
