"""A coronal or sagittal plane beside the main viewer."""

from typing import Any

from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_medpatch.plugin.canvas_parts import COLOURS, PLANES, PlaneMarks
from napari_medpatch.plugin.listen import listen

_UPRIGHT = ("up", "right")
"""Superior on top; the patient's left, or the back, at the right."""


class PlaneView(QWidget):
    """A viewer of its own that stays a plane across one axis, with its slider.

    Parameters
    ----------
    axis : int
        1 coronal, 2 sagittal.

    Signals
    -------
    shown (bool)
        It came in sight, or went out of it.
    """

    shown = Signal(bool)

    def __init__(self, axis: int, parent: QWidget | None = None) -> None:
        from napari.components import ViewerModel
        from napari.qt import QtViewer

        super().__init__(parent)
        self.name = PLANES[axis]
        self._order = (axis, *(other for other in range(3) if other != axis))
        self.model = ViewerModel(title=self.name, order=self._order)
        self._fitted: float | None = None
        self.qt_viewer: QtViewer | None = QtViewer(self.model)
        # Files dropped here would be opened in a viewer that shows only what the main one has.
        self.qt_viewer.setAcceptDrops(False)
        self.qt_viewer.setAccessibleName(f"{self.name} plane")
        title = QLabel(self.name)
        title.setStyleSheet(f"color: {COLOURS[axis]}")
        title.setToolTip("Scroll its slider, or click in another plane, to move through it.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(0)
        layout.addWidget(title)
        layout.addWidget(self.qt_viewer, 1)
        self.marks = PlaneMarks(self.qt_viewer)
        self._stay_upright()
        events = self.model.dims.events
        for emitter in (events.ndisplay, events.order):
            listen(emitter, self._stay_a_plane, first=True)
        listen(self.model.scene.camera.events.orientation, self._stay_upright)
        listen(self.model.canvas.events.size, self._on_size)

    def fit(self) -> None:
        """Show the whole plane."""
        self.model.fit_to_view()
        self._fitted = self.model.scene.camera.zoom

    def halt(self) -> None:
        """Stop the slider's animation: it would go on in a thread when the window closes."""
        if self.qt_viewer is not None:
            self.qt_viewer.dims.stop()

    def shut(self) -> None:
        """Let go of canvas and viewer."""
        self.halt()
        self.marks.remove()
        if self.qt_viewer is not None:
            self.qt_viewer.close()
        self.qt_viewer = None

    def showEvent(self, event: QEvent) -> None:
        super().showEvent(event)
        self.shown.emit(True)

    def hideEvent(self, event: QEvent) -> None:
        super().hideEvent(event)
        self.shown.emit(False)

    def _stay_a_plane(self, _event: Any = None) -> None:
        """Undo napari's keys for 3D and for other axes: a full volume is more than many graphics cards take."""
        dims = self.model.dims
        if dims.ndisplay != 2:
            dims.ndisplay = 2
        if dims.ndim == 3 and dims.order != self._order:
            dims.order = self._order

    def _stay_upright(self, _event: Any = None) -> None:
        camera = self.model.scene.camera
        if tuple(camera.orientation2d) != _UPRIGHT:
            camera.orientation2d = _UPRIGHT

    def _on_size(self, _event: Any = None) -> None:
        """Fit again when the dock is resized, unless the user has zoomed."""
        if self._fitted is None or abs(self.model.scene.camera.zoom - self._fitted) < 1e-6 * self._fitted:
            self.fit()
