"""Changing level and width by dragging on the canvas, as in radiology."""

import math
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject

from napari_medpatch.io.hu import LevelWidth
from napari_medpatch.plugin.window_level import set_window, window_of

if TYPE_CHECKING:
    import napari.layers
    from napari.components import ViewerModel

_RIGHT, _MIDDLE = 2, 3
_DOUBLING_PX = 150.0
"""Dragging so far to the right doubles the width."""

_WIDTH_PX = 300.0
"""Dragging so far down moves the level by one width."""

HOW = (
    "Drag on the image with Shift and the right button, or with the middle button: to the right for a wider window "
    "(less contrast), up for a lower level (brighter)."
)


class WindowDrag(QObject):
    """Changes one layer's window while the mouse is dragged in any of several viewers.

    Shift and the right button, or the middle button, always do; the plain right button, with which napari
    zooms, does while :attr:`with_right_button` is set.

    Parameters
    ----------
    target : callable
        Returns the image whose window is meant, None if there is none.
    """

    def __init__(self, target: "Callable[[], napari.layers.Image | None]", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.with_right_button = False
        self._target = target

    def attach(self, viewer: "ViewerModel") -> None:
        """Listen to a viewer's mouse until this object is deleted."""
        me = weakref.ref(self)

        def on_press(viewer: "ViewerModel", event: Any) -> Iterator[None]:
            drag = me()
            if drag is None or not isalive(drag):
                viewer.mouse_drag_callbacks.remove(on_press)
                return
            layer = drag.layer_for(event, viewer)
            del drag
            if layer is not None:
                yield from _dragging(viewer, layer, event)

        viewer.mouse_drag_callbacks.insert(0, on_press)

    def layer_for(self, event: Any, viewer: "ViewerModel") -> "napari.layers.Image | None":
        """Return the layer that a press of a mouse button is about, None if the press means something else."""
        shift = len(event.modifiers) == 1 and "Shift" in event.modifiers
        plain = len(event.modifiers) == 0
        ours = (event.button == _RIGHT and (shift or (plain and self.with_right_button))) or (
            event.button == _MIDDLE and plain
        )
        return self._target() if ours and viewer.dims.ndisplay == 2 else None


def _dragging(viewer: "ViewerModel", layer: "napari.layers.Image", event: Any) -> Iterator[None]:
    begin, before = tuple(event.pos), window_of(layer)
    with _camera_at_rest(viewer):
        with _nobody_else(viewer):
            event.handled = True
            yield
        while event.type == "mouse_move":
            x, y = (float(now - then) for now, then in zip(event.pos, begin, strict=True))
            now = dragged(before, x, y)
            set_window(layer, now)
            viewer.status = f"{layer.name}: level {now.level:.6g}, width {now.width:.6g}"
            event.handled = True
            yield


def dragged(window: LevelWidth, right: float, down: float) -> LevelWidth:
    """Return the window after a drag.

    Parameters
    ----------
    window : LevelWidth
        Before.
    right, down : float
        Pixels of the screen. The step grows with the width, so that narrow windows can be set finely.
    """
    return LevelWidth(window.level + down * window.width / _WIDTH_PX, window.width * math.exp2(right / _DOUBLING_PX))


@contextmanager
def _nobody_else(viewer: "ViewerModel") -> Iterator[None]:
    """Keep this press from the active layer: its brush would paint."""
    layer = viewer.layers.selection.active
    held = list(layer.mouse_drag_callbacks) if layer is not None else []
    if layer is not None:
        layer.mouse_drag_callbacks.clear()
    try:
        yield
    finally:
        if layer is not None and not layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.extend(held)


@contextmanager
def _camera_at_rest(viewer: "ViewerModel") -> Iterator[None]:
    """Keep the right button from zooming."""
    camera = viewer.scene.camera
    camera.mouse_pan = False
    try:
        yield
    finally:
        active = viewer.layers.selection.active
        camera.mouse_pan = active is None or active.mouse_pan
