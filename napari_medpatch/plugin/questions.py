"""Questions to the user, in dialogs that take the window's theme."""

from qtpy.QtCore import QThread
from qtpy.QtWidgets import QInputDialog, QWidget

from napari_medpatch.errors import ChoiceNeededError


def somebody_is_there() -> bool:
    """Return whether an event loop runs, so that a dialog has a user to answer it."""
    return QThread.currentThread().loopLevel() > 0


def ask_which(question: ChoiceNeededError, parent: QWidget | None = None) -> int | None:
    """Ask which of several images to open.

    Returns
    -------
    int or None
        Index of the choice, None if the user cancelled.
    """
    choices = list(question.choices)
    text, agreed = QInputDialog.getItem(parent, "Which volume?", str(question), choices, 0, False)
    return choices.index(text) if agreed else None
