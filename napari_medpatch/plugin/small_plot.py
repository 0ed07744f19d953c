"""A small chart in the colours of the window: what the histogram, the loss and the curve over slices share."""

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

BLUE, ORANGE = (86, 180, 233), (213, 94, 0)
"""Of what is measured, and of what is to be told apart from it; colour-blind people can."""


class SmallPlot(QWidget):
    """An empty chart; pyqtgraph is loaded when :meth:`chart` is called first.

    Parameters
    ----------
    name : str
        For screen readers.
    tip : str
        What is drawn and what a click does.
    heights : tuple of int
        Smallest and largest, in pixels.
    """

    def __init__(self, name: str, tip: str, heights: tuple[int, int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chart: Any = None
        self._axes: dict[str, str] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setMinimumHeight(heights[0])
        self.setMaximumHeight(heights[1])
        self.setAccessibleName(name)
        self.setToolTip(tip)

    def fill(self, chart: Any) -> None:
        """Put curves into the new chart; called once."""
        raise NotImplementedError

    def chart(self) -> Any:
        """Return pyqtgraph's widget, made with the first call."""
        if self._chart is None:
            import pyqtgraph

            self._chart = pyqtgraph.PlotWidget(background=None)
            self._chart.setMenuEnabled(False)
            self._chart.setMouseEnabled(x=False, y=False)
            self._chart.hideButtons()
            # Keys do nothing here; whoever goes through the window with them need not stop at it.
            self._chart.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self.fill(self._chart)
            self._take_theme()
            self._layout.addWidget(self._chart)
        return self._chart

    def show_axes(self, titles: Mapping[str, str]) -> None:
        """Draw these axes and no others.

        Parameters
        ----------
        titles : mapping of str to str
            Title by side, ``{"bottom": "step"}``; empty for an axis with numbers only.
        """
        self._axes = dict(titles)
        for side in ("bottom", "left"):
            self.chart().showAxis(side, side in titles)
        self._take_theme()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._take_theme()

    def _take_theme(self) -> None:
        """Draw the axes in the colour of the window's text, on whatever lies behind."""
        if self._chart is None:
            return
        self._chart.setBackground(None)
        self._chart.setStyleSheet("background: transparent;")
        colour = self.palette().color(self.foregroundRole())
        for side, title in self._axes.items():
            axis = self._chart.getAxis(side)
            axis.setPen(colour)
            axis.setTextPen(colour)
            axis.enableAutoSIPrefix(False)
            if title:
                self._chart.setLabel(side, title, color=colour.name())
