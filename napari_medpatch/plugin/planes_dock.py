"""Three linked planes: the main viewer, and a dock with the coronal and the sagittal one."""

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QMainWindow, QSplitter, QWidget

from napari_medpatch.plugin.canvas_parts import PlaneMarks, qt_viewer_of, sides_of
from napari_medpatch.plugin.clicks import listen_to_clicks
from napari_medpatch.plugin.hover import listen_to_hover
from napari_medpatch.plugin.layer_mirror import LayerMirror
from napari_medpatch.plugin.links import bare, kind_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.plane_view import PlaneView
from napari_medpatch.plugin.shared_cursor import SharedCursor

if TYPE_CHECKING:
    import napari
    from napari.components import ViewerModel

NAME = "Coronal and sagittal"
_SHARE = 0.45
"""Of the window's height."""

_PAUSE_MS = 15
_ABOUT = 0.25
"""Docks that came and went have changed the view so much."""
_SETTLED_MS = 60
"""Docks have their sizes by then."""


class PlanesDock(QWidget):
    """Coronal and sagittal planes of the volumes in the main viewer, with one cursor for all three.

    Parameters
    ----------
    viewer : napari.Viewer
        The main one; its plane is the third, axial unless the user rolls its axes.

    Signals
    -------
    closed
        The planes are gone.
    """

    closed = Signal()

    def __init__(self, viewer: "napari.Viewer") -> None:
        super().__init__()
        self.main = viewer
        self.views = [PlaneView(1), PlaneView(2)]
        splitter = QSplitter(Qt.Orientation.Horizontal)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)
        for view in self.views:
            splitter.addWidget(view)
        self._is_shut = False
        main_canvas = qt_viewer_of(viewer)
        self._marks = [view.marks for view in self.views]
        if main_canvas is not None:
            self._marks.append(PlaneMarks(main_canvas))
            # Weakly: a dock that holds its window keeps it from being collected.
            self._window = weakref.ref(main_canvas.window())
            main_canvas.window().installEventFilter(self)
        self.mirror = LayerMirror(viewer, [view.model for view in self.views], self)
        self.cursor = SharedCursor(self.viewers, self)
        self._sides = ""
        self._goal: tuple[float, ...] = ()
        self._going = QTimer(self)
        self._going.setSingleShot(True)
        self._going.setInterval(_PAUSE_MS)
        self._going.timeout.connect(self._arrive)
        self._connect()
        self._learn_sides()

    @property
    def viewers(self) -> "list[ViewerModel]":
        """The main viewer and the two others."""
        return [self.main, *(view.model for view in self.views)]

    def shut(self) -> None:
        """Leave the main viewer as it was; nothing works afterwards."""
        if self._is_shut:
            return
        self._is_shut = True
        self.mirror.close()
        for marks in self._marks:
            marks.remove()
        for view in self.views:
            view.shut()
        self.closed.emit()
        self.deleteLater()

    def fit_main_soon(self) -> None:
        """Fit the main view into what the dock leaves of the window, once that is known."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(_SETTLED_MS)
        timer.timeout.connect(lambda: self._is_shut or self.main.fit_to_view())
        timer.start()

    def leave(self) -> None:
        """Take the dock out of the window."""
        if not self._is_shut and isalive(self):
            close_planes(self.main)

    def event(self, event: QEvent) -> bool:
        # napari takes a closed dock's widget out of it, and tells it nothing else.
        if event.type() == QEvent.Type.ParentChange and self.parent() is None and hasattr(self, "mirror"):
            self.shut()
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Close and watched is self._window():
            for view in self.views:
                view.halt()
        return False

    def _connect(self) -> None:
        self.cursor.moved.connect(self._draw)
        self.cursor.turned.connect(self._letter)
        self.mirror.emptied.connect(self.leave)
        for view in self.views:
            view.shown.connect(lambda shown, model=view.model: self.mirror.hide(model, hidden=not shown))
            self.mirror.filled.connect(view.fit)
        for viewer in self.viewers:
            listen_to_clicks(viewer, self._go)
            listen_to_hover(viewer, self._go, "Shift")
        for emitter in (self.main.layers.events.inserted, self.main.layers.events.removed):
            listen(emitter, self._learn_sides)

    def _go(self, place: tuple[float, ...]) -> None:
        """Move the planes soon: a mouse is faster than three planes are drawn."""
        if not self._is_shut and len(place) >= 3:
            self._goal = place
            if not self._going.isActive():
                self._going.start()

    def _arrive(self) -> None:
        if not self._is_shut:
            self.cursor.go_to(self._goal)

    def _learn_sides(self, _event: Any = None) -> None:
        volume = next((layer for layer in reversed(self.main.layers) if kind_of(layer) == "volume"), None)
        self._sides = sides_of(volume)
        self._letter()

    def _letter(self) -> None:
        for marks in self._marks:
            marks.letter(self._sides)
        self._draw()

    def _draw(self) -> None:
        for marks in self._marks:
            marks.point_at(self.cursor.place)


def planes_of(viewer: "napari.Viewer") -> PlanesDock | None:
    """Return the planes beside a viewer, None if they are not open."""
    widget = bare(viewer).window.dock_widgets.get(NAME)
    return widget if widget is not None and isalive(widget) else None


def open_planes(viewer: "napari.Viewer") -> PlanesDock:
    """Show coronal and sagittal planes under a viewer; brings back hidden ones."""
    window = bare(viewer)
    found = planes_of(window)
    if found is None:
        is_fitted = _shows_all(window)
        found = PlanesDock(window)
        dock = window.window.add_dock_widget(found, name=NAME, area="bottom", add_vertical_stretch=False)
        frame = dock.parentWidget()
        if isinstance(frame, QMainWindow):
            # The panel and the layer list keep the window's height.
            frame.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
            frame.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
            frame.resizeDocks([dock], [round(_SHARE * frame.height())], Qt.Orientation.Vertical)
        if is_fitted:
            found.fit_main_soon()
    parent = found.parentWidget()
    if parent is not None:
        parent.show()
    return found


def _shows_all(viewer: "napari.Viewer") -> bool:
    """Return whether the view is about as napari's button *home* makes it: nobody has zoomed or moved it much."""
    camera = viewer.scene.camera
    zoom, center = camera.zoom, np.array(camera.center)
    viewer.fit_to_view()
    off, size = np.abs(center - camera.center).max(), np.ptp(viewer.layers.extent.world, axis=0).max()
    is_fitted = abs(zoom / camera.zoom - 1) < _ABOUT and off < _ABOUT * size
    camera.zoom, camera.center = zoom, tuple(center)
    return bool(is_fitted)


def close_planes(viewer: "napari.Viewer") -> None:
    """Take the planes away; what was painted in them stays."""
    found = planes_of(viewer)
    if found is not None:
        found.shut()
        bare(viewer).window.remove_dock_widget(found)
