"""Listening to napari's events for as long as a widget lives."""

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject


def listen(owner: QObject, emitter: Any, callback: Callable[..., None]) -> None:
    """Connect a bound method to an event emitter until its widget is destroyed.

    napari keeps widgets' methods weakly, but Qt deletes a removed dock's widgets while Python may still
    hold them; an event would then reach a deleted object.

    Parameters
    ----------
    owner : QObject
        Whose destruction ends it.
    emitter : EventEmitter
        Of a viewer, layer list or layer.
    callback : bound method
        Takes the event, or nothing.
    """
    emitter.connect(callback)
    method = weakref.WeakMethod(callback)

    def end(*_gone: Any) -> None:
        alive = method()
        if alive is not None:
            emitter.disconnect(alive)

    owner.destroyed.connect(end)
