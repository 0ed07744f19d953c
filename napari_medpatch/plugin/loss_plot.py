"""The loss while a model trains: one point per step, the recent mean as a line."""

from typing import Any

from qtpy.QtWidgets import QWidget

from napari_medpatch.plugin.small_plot import BLUE, ORANGE, SmallPlot

_KEEP = 20_000


class LossPlot(SmallPlot):
    """A small curve, hidden until the first point comes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Loss by step",
            "Loss of each training step; lower is better. It should fall, then level out.",
            (120, 220),
            parent,
        )
        self.steps: list[int] = []
        self.losses: list[float] = []
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
        self.chart()
        self._points.setData(self.steps, self.losses)
        self._line.setData(self.steps, _smoothed(self.losses))

    def fill(self, chart: Any) -> None:
        import pyqtgraph

        self._points = chart.plot(pen=None, symbol="o", symbolSize=3, symbolPen=None, symbolBrush=(*BLUE, 120))
        self._line = chart.plot(pen=pyqtgraph.mkPen(ORANGE, width=2))
        self.show_axes({"bottom": "step", "left": "loss"})


def _smoothed(values: list[float], span: int = 15) -> list[float]:
    """Return the running mean of the last ``span`` values."""
    result, total = [], 0.0
    for index, value in enumerate(values):
        total += value
        if index >= span:
            total -= values[index - span]
        result.append(total / min(index + 1, span))
    return result
