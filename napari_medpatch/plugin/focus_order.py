"""Moving through a panel with the Tab key."""

from collections.abc import Iterator
from itertools import pairwise

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLayout, QWidget


def order_focus(top: QWidget) -> None:
    """Let the Tab key visit the controls in the order in which the layouts show them.

    Qt's own order is that in which widgets were made, which has nothing to do with where they are.

    Parameters
    ----------
    top : QWidget
        With a layout; nested widgets and layouts are followed.
    """
    for before, after in pairwise(_controls(top)):
        QWidget.setTabOrder(before, after)


def _controls(widget: QWidget) -> Iterator[QWidget]:
    layout = widget.layout()
    if layout is not None and widget.focusPolicy() == Qt.FocusPolicy.NoFocus:
        yield from _in_layout(layout)
    elif widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
        yield widget


def _in_layout(layout: QLayout) -> Iterator[QWidget]:
    for index in range(layout.count()):
        item = layout.itemAt(index)
        if item.widget() is not None:
            yield from _controls(item.widget())
        elif item.layout() is not None:
            yield from _in_layout(item.layout())
