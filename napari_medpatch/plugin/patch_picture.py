"""A patch with its Grad-CAM on top."""

from typing import Any

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QImage, QKeyEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_medpatch.plugin.heat_colours import heat_colours

_STEPS = {
    Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0), Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1),
}  # fmt: skip


class PatchPicture(QWidget):
    """Pixels, as large as the dock allows; arrow keys ask for the neighbouring patch.

    Signals
    -------
    stepped (int, int)
        Rows and columns to go.
    """

    stepped = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.opacity = 0.5
        self._pixels: QImage | None = None
        self._heat: QImage | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumHeight(160)
        self.setAccessibleName("Selected patch")
        self.setToolTip("The selected patch; the arrow keys go to its neighbours.")

    @property
    def has_heat(self) -> bool:
        """Whether a Grad-CAM is shown."""
        return self._heat is not None

    def show_pixels(self, rgb: "np.ndarray[Any, Any] | None") -> None:
        """Show ``(Y, X, 3) uint8``; None empties the picture."""
        self._pixels = image_of_rgb(rgb) if rgb is not None else None
        self.update()

    def show_heat(self, heat: "np.ndarray[Any, Any] | None") -> None:
        """Show ``(Y, X) float32``, 0…1, over the pixels; None shows pixels only."""
        self._heat = _image_of_heat(heat) if heat is not None else None
        self.update()

    def set_opacity(self, opacity: float) -> None:
        """Set how much the Grad-CAM covers, 0…1."""
        self.opacity = opacity
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(300, 300)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return min(width, 420)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(event.key())
        if step is None:
            super().keyPressEvent(event)
        else:
            self.stepped.emit(*step)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._pixels is None:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "Click a patch\nof the heat map.")
        else:
            place = self._place(self._pixels)
            painter.drawImage(place, self._pixels)
            if self._heat is not None:
                painter.setOpacity(self.opacity)
                painter.drawImage(place, self._heat)
                painter.setOpacity(1)
        if self.hasFocus():
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def _place(self, image: QImage) -> QRectF:
        """Return the largest rectangle of the image's proportions in the middle."""
        scale = min((self.width() - 6) / image.width(), (self.height() - 6) / image.height())
        width, height = image.width() * scale, image.height() * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)


def image_of_rgb(rgb: "np.ndarray[Any, Any]") -> QImage:
    """Return ``(Y, X, 3) uint8`` as an image of its own memory."""
    pixels = np.ascontiguousarray(rgb)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def _image_of_heat(heat: "np.ndarray[Any, Any]") -> QImage:
    rgba = heat_colours().map(np.clip(heat, 0, 1).ravel()).reshape(*heat.shape, 4)
    pixels = np.ascontiguousarray((255 * rgba).round().astype(np.uint8))
    height, width = heat.shape
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
