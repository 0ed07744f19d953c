"""Runs a core job in a worker thread and hands its events to the window, a few times a second.

The worker is napari's own, so that napari asks before it closes a window with a running job.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QTimer, Signal
from qtpy.QtWidgets import QApplication, QWidget

from napari_medpatch.events import BlockSegmented, Event, Finished, Job, Noted
from napari_medpatch.plugin.messages import sentence_of, warn
from napari_medpatch.plugin.triton_guard import keep_triton_out

_log = logging.getLogger(__name__)

BATCH_SECONDS = 0.1
"""Events reach the window at most ten times a second, however fast the job yields them."""
_LAYERS_S = 2.0
"""A job waits so long at most for the window to show its first block."""


class JobRunner(QObject):
    """One job at a time, off the GUI thread; all signals arrive on it.

    Signals
    -------
    started
        The job was handed to the worker.
    progressed (list of Event)
        What happened since the last time.
    finished (object)
        The job's result.
    failed (str)
        One sentence.
    stopped
        The user's stop took effect.
    idle
        After each of the last three, when the worker is gone.
    """

    started = Signal()
    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(str)
    stopped = Signal()
    idle = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: Any = None
        self._stop = threading.Event()
        self._shown = threading.Event()
        self._outcome: _Failed | Finished | None = None
        # Not on ``destroyed``: PyQt6 crashes when Python code runs there.
        weakref.finalize(self, self._stop.set)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.stop)

    @property
    def is_running(self) -> bool:
        """Whether a job is under way."""
        return self._worker is not None

    def start(self, make_job: Callable[[], Job]) -> None:
        """Start a job.

        Parameters
        ----------
        make_job : callable
            Returns the job; called in the worker, so that loading the model does not block the window.
        """
        from napari.qt.threading import create_worker

        if self.is_running:
            return
        keep_triton_out()
        self._stop.clear()
        self._outcome = None
        self._worker = create_worker(_pump, make_job, self._stop, self._shown, _start_thread=False)
        self._worker.yielded.connect(self._on_batch)
        self._worker.finished.connect(self._on_worker_gone)
        window = _window_of(self)
        if window is not None:
            window.installEventFilter(self)
        self.started.emit()
        self._worker.start()

    def stop(self) -> None:
        """Ask the job to stop; it does at its next event."""
        self._stop.set()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stop when the window closes; napari tells its docks nothing, and a worker would go on without one."""
        if event.type() == QEvent.Type.Close and self.is_running:
            if event.spontaneous():
                # napari may ask, and the user change their mind.
                QTimer.singleShot(0, partial(_stop_if_gone, watched, self._stop))
            else:
                self._stop.set()
        return False

    def _on_batch(self, batch: list[Event]) -> None:
        events = []
        for event in batch:
            if isinstance(event, _Failed | Finished):
                self._outcome = event
            else:
                events.append(event)
            if isinstance(event, Noted) and event.level == "warning":
                warn(event.message)
        try:
            if events and not self._stop.is_set():
                self.progressed.emit(events)
        finally:
            self._shown.set()

    def _on_worker_gone(self) -> None:
        self._worker, outcome = None, self._outcome
        window = _window_of(self)
        if window is not None:
            window.removeEventFilter(self)
        if isinstance(outcome, _Failed):
            self.failed.emit(_report(outcome.error))
        elif isinstance(outcome, Finished) and not self._stop.is_set():
            self.finished.emit(outcome.result)
        else:
            self.stopped.emit()
        self.idle.emit()


@dataclass(frozen=True, slots=True)
class _Failed:
    """The job raised."""

    error: Exception


def _window_of(runner: QObject) -> QWidget | None:
    """Return the main window of a runner's parent; a panel that floats is a child of it too."""
    parent = runner.parent()
    while parent is not None and not isinstance(parent, QWidget):
        parent = parent.parent()
    while parent is not None and parent.parentWidget() is not None:
        parent = parent.parentWidget()
    return parent


def _stop_if_gone(window: QWidget, stop: threading.Event) -> None:
    if not isalive(window) or not window.isVisible():
        stop.set()


def _report(error: Exception) -> str:
    """Notify the user and return the sentence; a mistake of the program comes with its traceback."""
    sentence = sentence_of(error)
    if sentence is not None:
        _log.debug("job failed", exc_info=error)
        warn(sentence)
        return sentence
    from napari.utils.notifications import notification_manager

    notification_manager.receive_error(type(error), error, error.__traceback__)
    return f"The job failed unexpectedly ({type(error).__name__}: {error}); please report it."


def _pump(make_job: Callable[[], Job], stop: threading.Event, shown: threading.Event) -> Iterator[list[Any]]:
    """Iterate a job in the worker thread, gather its events, close it there."""
    batch: list[Any] = []
    sent, has_layers = 0.0, False
    try:
        with closing(make_job()) as job:  # type: ignore[type-var]
            for event in job:
                if stop.is_set():
                    return
                batch.append(event)
                if time.monotonic() - sent >= BATCH_SECONDS:
                    first = not has_layers and any(isinstance(event, BlockSegmented) for event in batch)
                    shown.clear()
                    yield batch
                    if first:
                        # While napari makes the layers, a worker that computes would triple the time it takes.
                        has_layers = shown.wait(_LAYERS_S)
                    batch, sent = [], time.monotonic()
    except Exception as error:  # noqa: BLE001 - napari's worker swallows RuntimeError and never says it ended
        batch.append(_Failed(error))
    if batch:
        yield batch
