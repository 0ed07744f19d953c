"""A grid of small patches that is used with mouse or keyboard."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QKeyEvent, QPixmap
from qtpy.QtWidgets import QListView, QListWidget, QListWidgetItem, QWidget

from napari_medpatch.infer.gallery import THUMBNAIL_PX
from napari_medpatch.plugin.patch_picture import image_of_rgb

_CELL = Qt.ItemDataRole.UserRole
_ROWS_SHOWN = 1


class ThumbList(QListWidget):
    """Patches in their order; double-click or Enter chooses one.

    Signals
    -------
    chosen (tuple)
        The cell.
    """

    chosen = Signal(object)

    def __init__(self, name: str, edge: int = THUMBNAIL_PX, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setIconSize(QSize(edge, edge))
        self.setSpacing(3)
        self.setMinimumHeight(_ROWS_SHOWN * (edge + 26))
        self.setAccessibleName(name)
        self.setToolTip("Double-click a patch, or press Enter, to fly there.")
        self._empty = QPixmap(edge, edge)
        self._empty.fill(Qt.GlobalColor.transparent)
        self.itemDoubleClicked.connect(self._choose)

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Which patches are shown, in their order."""
        return [self.item(index).data(_CELL) for index in range(self.count())]

    def show_patches(self, cells: Sequence[tuple[int, int]], values: Sequence[float], pictures: dict[Any, Any]) -> None:
        """Show patches; those without a picture are empty until :meth:`put`."""
        current = self.currentItem().data(_CELL) if self.currentItem() is not None else None
        self.clear()
        for cell, value in zip(cells, values, strict=True):
            item = QListWidgetItem(QIcon(pictures.get(cell, self._empty)), f"{value:.3f}")
            item.setData(_CELL, cell)
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            item.setToolTip(f"Row {cell[0] + 1}, column {cell[1] + 1}: {value:.4f}")
            self.addItem(item)
            if cell == current:
                self.setCurrentItem(item)

    def put(self, cell: tuple[int, int], picture: QPixmap) -> None:
        """Show a patch's picture."""
        for index in range(self.count()):
            if self.item(index).data(_CELL) == cell:
                self.item(index).setIcon(QIcon(picture))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentItem() is not None:
            self._choose(self.currentItem())
        else:
            super().keyPressEvent(event)

    def _choose(self, item: QListWidgetItem) -> None:
        self.chosen.emit(item.data(_CELL))


def pixmap_of(rgb: Any) -> QPixmap:
    """Return ``(Y, X, 3) uint8`` as a pixmap."""
    return QPixmap.fromImage(image_of_rgb(rgb))
