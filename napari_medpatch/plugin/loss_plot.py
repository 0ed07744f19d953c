"""The loss while a model trains: one point per step, the recent mean as a line."""

from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

_KEEP = 20_000


class LossPlot(QWidget):
    """A small curve; pyqtgraph is loaded when the first point comes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot: Any = None
        self.steps: list[int] = []
        self.losses: list[float] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setMinimumHeight(120)
        self.setMaximumHeight(220)
        self.setAccessibleName("Loss by step")
        self.setToolTip("Loss of each training step; lower is better. It should fall, then level out.")
        self.hide()

    def clear(self) -> None:
        """Forget all points."""
        self.steps, self.losses = [], []
        self.hide()

    def add(self, steps: list[int], losses: list[float]) -> None:
        """Add points and draw.

        Parameters
        ----------
        steps, losses : list
            Of equal length.
        """
        self.steps = (self.steps + steps)[-_KEEP:]
        self.losses = (self.losses + losses)[-_KEEP:]
        self.show()
        self._curves()
        self._points.setData(self.steps, self.losses)
        self._line.setData(self.steps, _smoothed(self.losses))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._take_theme()

    def _take_theme(self) -> None:
        """Draw axes in the colour of the window's text."""
        if self._plot is None:
            return
        text = self.palette().color(self.foregroundRole())
        for side, name in (("bottom", "step"), ("left", "loss")):
            axis = self._plot.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(text)
            self._plot.setLabel(side, name, color=text.name())

    def _curves(self) -> None:
        if self._plot is not None:
            return
        import pyqtgraph

        self._plot = pyqtgraph.PlotWidget(background=None)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._take_theme()
        self._points = self._plot.plot(
            pen=None, symbol="o", symbolSize=3, symbolPen=None, symbolBrush=(86, 180, 233, 120)
        )
        self._line = self._plot.plot(pen=pyqtgraph.mkPen((213, 94, 0), width=2))
        self._layout.addWidget(self._plot)


def _smoothed(values: list[float], span: int = 15) -> list[float]:
    """Return the running mean of the last ``span`` values."""
    result, total = [], 0.0
    for index, value in enumerate(values):
        total += value
        if index >= span:
            total -= values[index - span]
        result.append(total / min(index + 1, span))
    return result
