"""Counts painted voxels and keeps strokes on disk while the user paints."""

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QApplication

from napari_medpatch.errors import MedPatchError
from napari_medpatch.events import Finished, Job
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.messages import tell_error
from napari_medpatch.plugin.settings import preference

if TYPE_CHECKING:
    import napari.layers

_TICK_MS = 1000
_NOTHING = -1
"""No checksum has this value."""
Save = Callable[["np.ndarray[Any, Any]"], None]


@dataclass(frozen=True, slots=True)
class Counted:
    """What one look at the labels found.

    Parameters
    ----------
    counts : tuple of int
        Voxels of each label value, from 0.
    checksum : int
        Of the labels that are on disk now.
    """

    counts: tuple[int, ...]
    checksum: int

    @property
    def fraction(self) -> float:
        """Share of voxels that are labelled."""
        total = sum(self.counts)
        return 1 - self.counts[0] / total if total else 0.0


class StrokeKeeper(QObject):
    """Watches one labels layer; counts and writes in a worker, never on the GUI thread.

    What napari's paint events carry changes from version to version, so they only say "look again"; a
    checksum decides whether anything is to be written.

    Signals
    -------
    counted (Counted)
        At most once a second while the user paints.
    """

    counted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer: napari.layers.Labels | None = None
        self._save: Save | None = None
        self._checksum = _NOTHING
        self._touched = False
        self._unsaved_since: float | None = None
        self._runner = JobRunner(self)
        self._runner.finished.connect(self._on_counted)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._look)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.flush)

    def watch(self, layer: "napari.layers.Labels | None", save: Save | None = None) -> None:
        """Watch another layer, after saving what is left of the one before.

        Parameters
        ----------
        layer : Labels
            uint8; None to watch nothing.
        save : callable
            Writes an array of labels; called in a worker thread.
        """
        if layer is self._layer:
            self._save = save
            return
        self.flush()
        self._layer, self._save = layer, save
        self._timer.stop()
        if layer is None:
            return
        self._checksum = _checksum(layer.data)
        for emitter in (layer.events.paint, layer.events.labels_update, layer.events.set_data):
            listen(self, emitter, self.touch)
        self._timer.start()
        self._touched = True

    def touch(self, _event: Any = None) -> None:
        """Look at the labels again soon."""
        self._touched = True
        if self._unsaved_since is None:
            self._unsaved_since = time.monotonic()

    def rewrite(self) -> None:
        """Write soon although no voxel changed: names or colours did."""
        self._checksum = _NOTHING
        self.touch()

    def flush(self) -> None:
        """Write now what is not on disk yet."""
        if self._layer is None or self._save is None or self._unsaved_since is None:
            return
        self._unsaved_since = None
        if _checksum(self._layer.data) != self._checksum:
            try:
                self._save(self._layer.data)
            except MedPatchError as error:
                tell_error(error)
            self._checksum = _checksum(self._layer.data)

    def _look(self) -> None:
        if not self._touched or self._runner.is_running or self._layer is None:
            return
        self._touched = False
        since, limit = self._unsaved_since, int(preference("learning", "autosave_seconds"))
        # A tick early rather than late: the strokes must be on disk within the limit.
        due = since is not None and time.monotonic() - since + 2 * _TICK_MS / 1000 >= limit
        if due:
            self._unsaved_since = None
        elif since is not None:
            self._touched = True
        data, checksum, save = self._layer.data, self._checksum, self._save if due else None
        self._runner.start(lambda: _looking(data, checksum, save))

    def _on_counted(self, found: Counted) -> None:
        self._checksum = found.checksum
        self.counted.emit(found)


def _looking(data: "np.ndarray[Any, Any]", checksum: int, save: Save | None) -> Job:
    """Count labels and write them if they changed, as a job."""
    counts = np.zeros(256, np.int64)
    for part in data if data.ndim == 3 else (data,):
        counts += np.bincount(part.ravel(), minlength=256)
    if save is not None:
        # A copy, because the user goes on painting while it is written.
        strokes = data.copy()
        now = _checksum(strokes)
        if now != checksum:
            save(strokes)
            checksum = now
    yield Finished(Counted(tuple(counts.tolist()), checksum))


def _checksum(data: "np.ndarray[Any, Any]") -> int:
    return zlib.crc32(np.ascontiguousarray(data))
