"""The slide's score per class as a small table; its swatches are the legend of the class map."""

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

_MAX_ROWS = 8


class ScoreTable(QTableWidget):
    """One row per class: mean, mean of the highest patches, share above the threshold, attention pooling."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.setAccessibleName("Slide score")
        self.setToolTip(
            "Scores of the whole slide from its patches, written to the record of the run. The mean suits diffuse "
            "patterns, the mean of the highest patches small lesions; neither is a probability of the slide."
        )

    def show_score(self, score: Mapping[str, Any]) -> None:
        """Show what :func:`napari_medpatch.infer.aggregate.slide_score` gives."""
        classes, attention = score["classes"], score.get("attention") or {}
        heads = ["Class", "Mean", f"Top {score['top_k']}", f"≥ {score['threshold']:.3g}"]
        heads += ["Attention"] if attention else []
        self._shape(len(classes), heads)
        for row, (name, values) in enumerate(classes.items()):
            self._put(row, 0, name, _swatch(row))
            self._put(row, 1, _number(values["mean"]))
            self._put(row, 2, _number(values["top_k_mean"]))
            self._put(row, 3, _share(values["fraction_above"]))
            if attention:
                self._put(row, 4, _number(attention.get(name)))

    def _shape(self, rows: int, heads: list[str]) -> None:
        if (rows, len(heads)) != (self.rowCount(), self.columnCount()):
            self.setRowCount(rows)
            self.setColumnCount(len(heads))
            header = self.horizontalHeader()
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            self.resizeRowsToContents()
            height = header.sizeHint().height() + sum(self.rowHeight(row) for row in range(min(rows, _MAX_ROWS)))
            self.setFixedHeight(height + 2 * self.frameWidth() + 2)
        self.setHorizontalHeaderLabels(heads)

    def _put(self, row: int, column: int, text: str, icon: QIcon | None = None) -> None:
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            if column:
                item.setTextAlignment(int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
            self.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)
            item.setToolTip(text if column == 0 else self.toolTip())
        if icon is not None and item.icon().isNull():
            item.setIcon(icon)


def _swatch(index: int) -> QIcon:
    from napari_medpatch.io.geojson import class_colour

    square = QPixmap(12, 12)
    square.fill(QColor(*class_colour(index)))
    return QIcon(square)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
