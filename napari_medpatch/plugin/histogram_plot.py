"""How the probabilities of the displayed class are spread, with the threshold as a line to drag."""

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_medpatch.plugin.score_tally import BINS
from napari_medpatch.plugin.small_plot import ORANGE, SmallPlot


class HistogramPlot(SmallPlot):
    """Bars in the colours of the heat map, so that they are its legend too.

    Signals
    -------
    moved (float)
        The user dragged the line.
    """

    moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Histogram of the displayed class",
            "Patches by probability. Heights are square roots of the counts, so that a few tumour patches among "
            "thousands can be seen; colours are those of the heat map. Drag the line to move the threshold.",
            (96, 140),
            parent,
        )
        self._colours: npt.NDArray[Any] | None = None
        self.counts: npt.NDArray[np.int64] = np.zeros(BINS, np.int64)

    def show_counts(self, counts: npt.NDArray[np.int64], colours: npt.NDArray[Any]) -> None:
        """Draw bars.

        Parameters
        ----------
        counts : ndarray
            ``(50,) int64``, patches per bin from 0 to 1.
        colours : ndarray
            ``(50, 4)``, 0 to 1.
        """
        chart = self.chart()
        self.counts = counts.copy()
        self._bars.setOpts(height=np.sqrt(counts), **self._changed(colours))
        chart.setYRange(0, max(1.0, float(np.sqrt(counts.max()))), padding=0.02)

    def _changed(self, colours: npt.NDArray[Any]) -> dict[str, Any]:
        """Return brushes if the colours are others than before: making fifty takes longer than drawing them."""
        if self._colours is not None and np.array_equal(self._colours, colours):
            return {}
        self._colours = colours
        return {"brushes": [tuple(int(255 * channel) for channel in colour[:3]) for colour in colours]}

    def show_threshold(self, value: float | None) -> None:
        """Put the line at a threshold; None hides it."""
        self.chart()
        self.line.setVisible(value is not None)
        if value is not None:
            self.line.blockSignals(True)
            self.line.setValue(value)
            self.line.blockSignals(False)

    def fill(self, chart: Any) -> None:
        import pyqtgraph

        self.show_axes({"bottom": ""})
        chart.getAxis("bottom").setTicks([[(value, f"{value:g}") for value in (0, 0.25, 0.5, 0.75, 1)]])
        chart.setXRange(0, 1, padding=0.03)
        middles = (np.arange(BINS) + 0.5) / BINS
        self._bars = pyqtgraph.BarGraphItem(x=middles, height=np.zeros(BINS), width=1 / BINS, pen=None)
        self.line = pyqtgraph.InfiniteLine(
            0.5,
            movable=True,
            bounds=(0, 1),
            pen=pyqtgraph.mkPen(ORANGE, width=2),
            hoverPen=pyqtgraph.mkPen(ORANGE, width=4),
        )
        self.line.sigPositionChanged.connect(lambda line: self.moved.emit(float(line.value())))
        chart.addItem(self._bars)
        chart.addItem(self.line)
