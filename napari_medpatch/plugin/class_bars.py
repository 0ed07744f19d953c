"""Class probabilities of a patch as bars."""

from collections.abc import Sequence

import numpy as np
from qtpy.QtWidgets import QGridLayout, QLabel, QProgressBar, QWidget

_MOST = 8
"""Bars; of more classes the most probable are shown."""


class ClassBars(QWidget):
    """One bar per class, from 0 to 1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bars: dict[str, QProgressBar] = {}
        self._names: tuple[str, ...] = ()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self.setAccessibleName("Class probabilities")

    def show_values(self, names: Sequence[str], values: Sequence[float]) -> None:
        """Show probabilities; NaN is a patch without a score."""
        order = np.argsort([-np.nan_to_num(value) for value in values], kind="stable")[:_MOST]
        chosen = sorted(order.tolist()) if len(names) <= _MOST else order.tolist()
        shown = tuple(names[index] for index in chosen)
        if shown != self._names:
            self._rebuild(shown)
        for index in chosen:
            value, bar = float(values[index]), self.bars[names[index]]
            known = np.isfinite(value)
            bar.setValue(round(1000 * value) if known else 0)
            bar.setFormat(f"{value:.3f}" if known else "not scored")

    def clear(self) -> None:
        """Remove the bars."""
        self._rebuild(())

    def _rebuild(self, names: tuple[str, ...]) -> None:
        while self._grid.count():
            widget = self._grid.takeAt(0).widget()
            widget.setParent(None)
            widget.deleteLater()
        self._names, self.bars = names, {}
        for row, name in enumerate(names):
            bar = QProgressBar()
            bar.setRange(0, 1000)
            bar.setAccessibleName(f"Probability of {name}")
            self.bars[name] = bar
            self._grid.addWidget(QLabel(name), row, 0)
            self._grid.addWidget(bar, row, 1)
