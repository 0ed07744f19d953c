"""Files that are dropped on the canvas while the panel is open."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QGuiApplication

from napari_medpatch.errors import MedPatchError
from napari_medpatch.plugin.canvas_parts import qt_viewer_of
from napari_medpatch.plugin.mask_file import is_mask_file

if TYPE_CHECKING:
    import napari

_OURS = ("napari-medpatch", None)
_KEYS = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier


class DropCatcher(QObject):
    """Takes volumes, slides and segmentations; whatever else is dropped goes its usual way.

    napari would ask which reader to use, for its own names their suffixes too, and read in the thread of the window.
    It still does if the user holds Shift or Alt, or has told it to prefer another reader.

    Parameters
    ----------
    viewer : napari.Viewer
        On whose canvas things are dropped.

    Signals
    -------
    dropped (list of Path)
        Files and folders that are ours.
    """

    dropped = Signal(object)

    def __init__(self, viewer: "napari.Viewer", parent: QObject) -> None:
        super().__init__(parent)
        canvas = qt_viewer_of(viewer)
        if canvas is not None:
            canvas.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.Drop or QGuiApplication.keyboardModifiers() & _KEYS:
            return False
        urls = event.mimeData().urls()  # type: ignore[attr-defined]
        paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
        if not paths or len(paths) != len(urls) or not are_ours(paths):
            return False
        event.acceptProposedAction()  # type: ignore[attr-defined]
        self.dropped.emit(paths)
        return True


def are_ours(paths: Sequence[Path]) -> bool:
    """Return whether all of some files and folders are volumes, slides or segmentations that nobody else shall read."""
    from napari.plugins.utils import get_preferred_reader

    from napari_medpatch.io.detect import detect

    try:
        return all(
            get_preferred_reader(os.fspath(path)) in _OURS
            and (is_mask_file(path) or detect(path).kind in ("volume", "slide"))
            for path in paths
        )
    except MedPatchError:
        return False
