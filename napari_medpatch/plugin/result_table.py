"""A table of results: sorts by any column, copies as text, tells which row was chosen."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_medpatch.evaluate.columns import heading, text, tip

MOST_ROWS = 500
_VALUE = Qt.ItemDataRole.UserRole
_NUMBER = Qt.ItemDataRole.UserRole + 1


class ResultTable(QTableWidget):
    """Rows of a result; columns that say nothing are hidden.

    Parameters
    ----------
    name : str
        For screen readers.
    rows_shown : int
        The table is as high as its rows, at most this many.

    Signals
    -------
    chosen (int)
        Index of the row that was clicked or entered, in the order in which rows were given.
    """

    chosen = Signal(int)

    def __init__(self, name: str, rows_shown: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows_shown = rows_shown
        self.columns: list[str] = []
        self.setAccessibleName(name)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.setMinimumWidth(120)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.cellClicked.connect(self._on_cell)
        self.cellActivated.connect(self._on_cell)
        self.copy_action = QAction("Copy table", self)
        self.copy_action.triggered.connect(lambda _checked=False: self.copy())
        self.addAction(self.copy_action)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def show_rows(
        self, rows: Sequence[dict[str, Any]], left_out: Sequence[str] = (), first: Sequence[str] = ()
    ) -> None:
        """Show other rows, in the order given.

        Parameters
        ----------
        rows : sequence of dict
            Values by column, as results give them; the first :data:`MOST_ROWS` are shown.
        left_out : sequence of str
            Columns that are not wanted here.
        first : sequence of str
            Columns that stand first, so that a narrow window shows them.
        """
        shown = rows[:MOST_ROWS]
        there = dict.fromkeys(key for row in shown for key in row if key not in left_out)
        names = [*(name for name in first if name in there), *(name for name in there if name not in first)]
        self.columns = [name for name in names if any(row.get(name) not in (None, "") for row in shown)]
        # Sorting while filling would move rows under our hands.
        self.setSortingEnabled(False)
        self.setRowCount(len(shown))
        self.setColumnCount(len(self.columns))
        self.setHorizontalHeaderLabels([heading(name) for name in self.columns])
        for column, name in enumerate(self.columns):
            self.horizontalHeaderItem(column).setToolTip(tip(name) or heading(name))
            for index, row in enumerate(shown):
                self.setItem(index, column, _Cell(name, row.get(name), index))
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self._fit()

    def as_text(self) -> str:
        """Return the table, or its selected rows, with tabs between columns, as spreadsheets take it."""
        chosen = sorted({index.row() for index in self.selectedIndexes()})
        rows = chosen if len(chosen) > 1 else range(self.rowCount())
        lines = ["\t".join(heading(name) for name in self.columns)]
        lines += ["\t".join(self.item(row, column).exact() for column in range(len(self.columns))) for row in rows]
        return "\n".join(lines)

    def copy(self) -> None:
        """Put the table, or several selected rows of it, on the clipboard."""
        QGuiApplication.clipboard().setText(self.as_text())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def _on_cell(self, row: int, _column: int) -> None:
        self.chosen.emit(int(self.item(row, 0).data(_NUMBER)))

    def _fit(self) -> None:
        """Be as high as the rows, and a scroll bar."""
        self.resizeRowsToContents()
        rows = sum(self.rowHeight(row) for row in range(min(self.rowCount(), self._rows_shown)))
        bar = self.horizontalScrollBar().sizeHint().height()
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + rows + bar + 2 * self.frameWidth() + 2)


class _Cell(QTableWidgetItem):
    """A value that sorts as what it is; unknown ones come last."""

    def __init__(self, column: str, value: Any, number: int) -> None:
        super().__init__(text(column, value))
        self.setData(_VALUE, value)
        self.setData(_NUMBER, number)
        if not isinstance(value, str):
            self.setTextAlignment(int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))

    def exact(self) -> str:
        """Return the value in full precision, empty if it is unknown."""
        value = self.data(_VALUE)
        return "" if value is None else str(value)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        mine, theirs = self.data(_VALUE), other.data(_VALUE)
        if mine is None or theirs is None:
            return theirs is None and mine is not None
        try:
            return bool(mine < theirs)
        except TypeError:
            return str(mine) < str(theirs)
