"""Clicks on the canvas that are no drags."""

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive

if TYPE_CHECKING:
    import napari

_STILL_PX = 4
"""A hand is never quite still."""


def listen_to_clicks(viewer: "napari.Viewer", callback: Callable[[Any], None]) -> None:
    """Call a method of a Qt object with the world position of each click, until the object is deleted.

    Panning, zooming and the modes of layers (painting, drawing, selecting) work as before: the click counts
    when the left button is released where it was pressed, and the active layer is not being edited.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose canvas.
    callback : bound method
        Of a QObject; takes the position. It is held weakly.
    """
    method = weakref.WeakMethod(callback)

    def on_press(viewer: "napari.Viewer", event: Any) -> Iterator[None]:
        alive = method()
        if alive is None or not isalive(alive.__self__):  # type: ignore[attr-defined]
            viewer.mouse_drag_callbacks.remove(on_press)
            return
        begin = tuple(event.pos)
        del alive
        yield
        moved = False
        while event.type == "mouse_move":
            moved = moved or max(abs(a - b) for a, b in zip(event.pos, begin, strict=True)) > _STILL_PX
            yield
        alive = method()
        if alive is not None and not moved and event.button == 1 and not event.modifiers and _at_rest(viewer):
            alive(tuple(event.position))

    viewer.mouse_drag_callbacks.append(on_press)


def _at_rest(viewer: "napari.Viewer") -> bool:
    """Whether a click means nothing to the active layer, in a plane view."""
    mode = getattr(viewer.layers.selection.active, "mode", "pan_zoom")
    return str(mode) == "pan_zoom" and viewer.dims.ndisplay == 2
