"""Counts painted voxels and keeps strokes on disk while the user paints."""

import threading
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
Save = Callable[["np.ndarray[Any, Any]"], None]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many voxels have which label.

    Parameters
    ----------
    counts : tuple of int
        Voxels of each label value, from 0.
    """

    counts: tuple[int, ...]

    @property
    def fraction(self) -> float:
        """Share of voxels that are labelled."""
        total = sum(self.counts)
        return 1 - self.counts[0] / total if total else 0.0


class StrokeWriter:
    """Writes the labels of one layer if they changed; from any thread, one at a time, the newest last.

    Parameters
    ----------
    layer : Labels
        An empty one counts as written; strokes do not, wherever they come from.
    save : callable
        Writes an array of labels.
    is_written : bool
        Whether what the layer holds now needs no writing.
    """

    def __init__(self, layer: "napari.layers.Labels", save: Save, *, is_written: bool = False) -> None:
        self._layer, self._save = layer, save
        self._written = _checksum(layer.data) if is_written or not layer.data.any() else None
        self._renamed = False
        self._lock = threading.Lock()

    def write_anyway(self) -> None:
        """Write next time although no voxel changed: names or colours did."""
        self._renamed = True

    def write(self) -> None:
        """Write if something changed.

        Raises
        ------
        OutputError
            If the project folder cannot be written to.
        """
        with self._lock:
            # The copy is taken under the lock: the user goes on painting, and an older one must not come last.
            strokes = self._layer.data.copy()
            now, renamed = _checksum(strokes), self._renamed
            if now == self._written and not renamed:
                return
            self._renamed = False
            try:
                self._save(strokes)
            except MedPatchError:
                self._renamed = renamed
                raise
            self._written = now


class StrokeKeeper(QObject):
    """Watches one labels layer; counts and writes in a worker, not on the GUI thread.

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
        self._writer: StrokeWriter | None = None
        self._touched = False
        self._unsaved_since: float | None = None
        self._runner = JobRunner(self)
        self._runner.finished.connect(self.counted)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._look)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.flush)

    def watch(
        self, layer: "napari.layers.Labels | None", save: Save | None = None, *, is_written: bool = False
    ) -> None:
        """Watch another layer, after saving what is left of the one before.

        Parameters
        ----------
        layer : Labels
            uint8; None to watch nothing.
        save : callable
            Writes an array of labels; called in a worker thread.
        is_written : bool
            Whether what the layer holds now needs no writing.
        """
        self.flush()
        self._layer, self._writer, self._unsaved_since = layer, None, None
        self._timer.stop()
        if layer is None or save is None:
            return
        self._writer = StrokeWriter(layer, save, is_written=is_written)
        for emitter in (layer.events.paint, layer.events.labels_update, layer.events.set_data):
            listen(emitter, self.touch)
        self._timer.start()
        if not is_written:
            self.touch()

    def touch(self, _event: Any = None) -> None:
        """Look at the labels again soon."""
        self._touched = True
        if self._unsaved_since is None:
            self._unsaved_since = time.monotonic()

    def rewrite(self) -> None:
        """Write soon although no voxel changed: names or colours did."""
        if self._writer is not None:
            self._writer.write_anyway()
            self.touch()

    def flush(self) -> None:
        """Write now what is not on disk yet; waits for a worker that is writing."""
        if self._writer is None:
            return
        self._unsaved_since = None
        try:
            self._writer.write()
        except MedPatchError as error:
            tell_error(error)

    def _look(self) -> None:
        if not self._touched or self._runner.is_running or self._layer is None:
            return
        since, limit = self._unsaved_since, int(preference("learning", "autosave_seconds"))
        # A tick early rather than late: the strokes must be on disk within the limit.
        due = since is not None and time.monotonic() - since + 2 * _TICK_MS / 1000 >= limit
        self._touched = since is not None and not due
        if due:
            self._unsaved_since = None
        data, writer = self._layer.data, self._writer if due else None
        self._runner.start(lambda: _looking(data, writer))


def _looking(data: "np.ndarray[Any, Any]", writer: StrokeWriter | None) -> Job:
    """Count labels and write them if they changed, as a job."""
    from napari_medpatch.annotate.sparse import value_counts

    if writer is not None:
        writer.write()
    yield Finished(Counted(tuple(value_counts(data).tolist())))


def _checksum(data: "np.ndarray[Any, Any]") -> int:
    return zlib.crc32(np.ascontiguousarray(data))
