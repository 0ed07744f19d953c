"""A mouse on napari's canvas."""

from typing import Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton
NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier

Pixel = tuple[int, int]


def pixel_of(qt_viewer: Any, row: float, column: float) -> Pixel:
    """Return the pixel of the canvas at a place in the displayed plane, in world units."""
    view = qt_viewer.canvas.view
    x, y = (view.transform * view.scene.transform).map([column, row])[:2]
    return round(x), round(y)


def hover(qtbot: Any, qt_viewer: Any, place: Pixel, modifier: Any = NONE) -> None:
    """Move the mouse without a button."""
    native = qt_viewer.canvas.native
    # QTest does not tell modifiers of a move.
    from vispy.util import keys

    qt_viewer.canvas._scene_canvas._backend._vispy_mouse_move(
        native=None, pos=place, modifiers=(keys.SHIFT,) if modifier == SHIFT else ()
    )
    assert native is not None
    qtbot.wait(30)


def click(qtbot: Any, qt_viewer: Any, place: Pixel) -> None:
    """Press and release the left button."""
    drag(qtbot, qt_viewer, place, place)


def drag(qtbot: Any, qt_viewer: Any, begin: Pixel, end: Pixel, button: Any = LEFT, modifier: Any = NONE) -> None:
    """Press a button, move in three steps, release it."""
    native = qt_viewer.canvas.native
    QTest.mousePress(native, button, modifier, QPoint(*begin))
    for step in (1, 2, 3):
        x, y = (round(a + (b - a) * step / 3) for a, b in zip(begin, end, strict=True))
        if begin != end:
            QTest.mouseMove(native, QPoint(x, y))
            qtbot.wait(15)
    QTest.mouseRelease(native, button, modifier, QPoint(*end))
    qtbot.wait(30)
