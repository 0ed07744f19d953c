"""Listening to napari's events for as long as a widget lives."""

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.compat import isalive


def listen(emitter: Any, callback: Callable[..., None], *, first: bool = False) -> None:
    """Connect a method of a Qt object to an event emitter until the object is deleted.

    Qt deletes the widgets of a removed dock while Python may still hold them; an event would then reach
    a deleted object. Nothing hangs on ``destroyed``: PyQt6 crashes when Python code runs there.

    Parameters
    ----------
    emitter : EventEmitter
        Of a viewer, layer list or layer.
    callback : bound method
        Of a QObject; takes the event. It is held weakly.
    first : bool
        Call it before almost all others that listen, napari's own too.
    """
    method = weakref.WeakMethod(callback)

    def relay(event: Any = None) -> None:
        alive = method()
        if alive is not None and isalive(alive.__self__):  # type: ignore[attr-defined]
            alive(event)
        else:
            emitter.disconnect(relay)

    others = emitter.callbacks if first else ()
    if len(others) > 1:
        # napari calls its own parts first, unless one says between which two.
        emitter.connect(relay, after=others[0], before=others[1])
    else:
        emitter.connect(relay)
