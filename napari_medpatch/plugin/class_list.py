"""The classes of sparse labels: names, colours, and which one the brush paints."""

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QColorDialog, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_medpatch.plugin.form import button, in_row, note

BACKGROUND = "background"
_MAX_CLASSES = 20
_COLOUR_ROLE = Qt.ItemDataRole.UserRole

Colour = str
"""``#rrggbb``."""


class ClassList(QWidget):
    """An editable list of classes; the first is always the background.

    Signals
    -------
    selected (int)
        Label value of the class that is to be painted: row + 1.
    edited
        Names or colours changed.
    """

    selected = Signal(int)
    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = QListWidget()
        self.list.setAccessibleName("Classes")
        self.list.setToolTip("The class that the brush paints. Double-click, or press F2, to rename.")
        self.list.setEditTriggers(QListWidget.EditTrigger.DoubleClicked | QListWidget.EditTrigger.EditKeyPressed)
        self.list.setMaximumHeight(84)
        self.list.currentRowChanged.connect(self._on_row)
        self.list.itemChanged.connect(self._on_item_changed)
        self.add_button = button("A&dd class", "Add a class below.", self.add)
        self.colour_button = button("Colour…", "Choose the colour of the selected class.", self._ask_colour)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(note("What you paint (unpainted stays unlabelled):"))
        layout.addWidget(self.list)
        layout.addLayout(in_row(self.add_button, self.colour_button))

    def show_classes(self, names: Sequence[str], colours: Sequence[Colour]) -> None:
        """Show other classes; emits nothing."""
        self.list.blockSignals(True)
        self.list.clear()
        for name, colour in zip(names, colours, strict=True):
            self._append(name, colour)
        self.list.setCurrentRow(min(1, self.list.count() - 1))
        self.list.blockSignals(False)

    def names(self) -> tuple[str, ...]:
        """Return the names; the first is the background."""
        return tuple(self.list.item(row).text() for row in range(self.list.count()))

    def colours(self) -> tuple[Colour, ...]:
        """Return the colours in the order of the names."""
        return tuple(self.list.item(row).data(_COLOUR_ROLE) for row in range(self.list.count()))

    def value(self) -> int:
        """Return the label value of the selected class."""
        return max(0, self.list.currentRow()) + 1

    def add(self) -> None:
        """Add a class with a free name and the next colour, select it, and let the user name it."""
        if self.list.count() >= _MAX_CLASSES:
            return
        taken = set(self.names())
        name = next(n for n in (f"class {k}" for k in range(1, 99)) if n not in taken)
        self.list.blockSignals(True)
        self._append(name, default_colours(self.list.count() + 1)[-1])
        self.list.blockSignals(False)
        self.edited.emit()
        self.list.setCurrentRow(self.list.count() - 1)

    def set_colour(self, row: int, colour: Colour) -> None:
        """Give a class another colour."""
        item = self.list.item(row)
        item.setData(_COLOUR_ROLE, colour)
        item.setIcon(_swatch(colour))

    def _append(self, name: str, colour: Colour) -> None:
        item = QListWidgetItem(_swatch(colour), name)
        item.setData(_COLOUR_ROLE, colour)
        item.setData(Qt.ItemDataRole.WhatsThisRole, name)
        if self.list.count():
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        self.list.addItem(item)

    def _on_row(self, row: int) -> None:
        if row >= 0:
            self.selected.emit(row + 1)

    def _on_item_changed(self, item: QListWidgetItem) -> None:
        """Refuse empty and double names; both would be lost on export."""
        name = item.text().strip()
        self.list.blockSignals(True)
        if not name or self.names().count(item.text()) > 1:
            item.setText(item.data(Qt.ItemDataRole.WhatsThisRole))
        else:
            item.setText(name)
            item.setData(Qt.ItemDataRole.WhatsThisRole, name)
        self.list.blockSignals(False)
        self.edited.emit()

    def _ask_colour(self) -> None:
        row = self.list.currentRow()
        if row < 0:
            return
        chosen = QColorDialog.getColor(QColor(self.colours()[row]), self, "Colour of the class")
        if chosen.isValid():
            self.set_colour(row, chosen.name())


def default_colours(count: int) -> list[Colour]:
    """Return colours that colour-blind people can tell apart; the first is for the background."""
    from napari_medpatch.annotate.sparse import colour_of

    return [colour_of(value) for value in range(1, count + 1)]


def label_colours(colours: Sequence[Colour]) -> dict[int | None, str]:
    """Return a layer's colour table: value 0 and unknown ones transparent, 1… the classes."""
    return {None: "transparent", 0: "transparent", **dict(enumerate(colours, start=1))}


def _swatch(colour: Colour) -> QIcon:
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)
