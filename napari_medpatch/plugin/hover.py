"""The mouse moving over the canvas with a key held down."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive

if TYPE_CHECKING:
    from napari.components import ViewerModel


def listen_to_hover(viewer: "ViewerModel", callback: Callable[[Any], None], modifier: str) -> None:
    """Call a method of a Qt object with world positions while a key is held, until the object is deleted.

    Parameters
    ----------
    viewer : ViewerModel
        Over whose canvas.
    callback : bound method
        Of a QObject; takes the position. It is held weakly.
    modifier : str
        ``"Shift"``, ``"Control"`` or ``"Alt"``, and no other one.
    """
    method = weakref.WeakMethod(callback)

    def on_move(viewer: "ViewerModel", event: Any) -> None:
        alive = method()
        if alive is None or not isalive(alive.__self__):  # type: ignore[attr-defined]
            viewer.mouse_move_callbacks.remove(on_move)
        elif viewer.dims.ndisplay == 2 and len(event.modifiers) == 1 and modifier in event.modifiers:
            alive(tuple(event.position))

    viewer.mouse_move_callbacks.append(on_move)
