"""What runs on the workers of a cluster; imported there by name, so it must stay where it is."""

import os
import platform
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch import __version__
from napari_medpatch.cohort.model import ModelReference, keep_loaded, not_seen, open_reference
from napari_medpatch.cohort.outcome import SlideOutcome
from napari_medpatch.cohort.plan import SlideTask
from napari_medpatch.cohort.slide import slide_job
from napari_medpatch.errors import ClusterError
from napari_medpatch.events import Event, Finished, Noted, PatchesScored, Started, Working
from napari_medpatch.infer.classify_result import ClassifySettings

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

_EVERY_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0
"""How long a network file system may take to show a new file."""
_kept: dict[tuple[str, int], "Bundle"] = {}
"""Loaded models by run and thread: a network is not shared between threads."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a worker must know besides the slide.

    Parameters
    ----------
    run : str
        Identifies the client's run.
    index : int
        Which slide.
    topic : str
        Where progress is published.
    marker : str
        File that the client left in the folder of the results; empty to skip the check.
    """

    run: str
    index: int
    topic: str
    marker: str = ""


def machine() -> dict[str, str]:
    """Return what must agree on all machines."""
    return {"napari_medpatch": __version__, "python": ".".join(platform.python_version_tuple()[:2])}


def forget_models(run: str) -> None:
    """Free the models of a run."""
    for key in [key for key in list(_kept) if key[0] == run]:
        _kept.pop(key, None)


def score_slide(task: SlideTask, reference: ModelReference, call: Call) -> SlideOutcome:
    """Classify one slide on this worker, publishing progress.

    Returns
    -------
    SlideOutcome
        Also of a slide that failed, or of one whose client went away (state ``"failed"``, nobody reads it).

    Raises
    ------
    BundleError
        If the model is at fault.
    distributed.Reschedule
        If this worker is being closed: the slide goes on elsewhere from its stored scores.
    """
    from distributed import Reschedule, get_worker

    worker = get_worker()
    wanted = _Wanted(worker, worker.get_current_task())
    try:
        _check_sees(task, call, worker.address)
        bundle = _bundle(reference, task.settings, call.run, worker.address)
    except ClusterError as error:
        return SlideOutcome(task.path, "failed", reason=str(error), worker=worker.address)
    publisher = _Publisher(lambda message: worker.log_event(call.topic, message), call, worker.address)
    publisher.publish("begun")
    with closing(slide_job(task, bundle)) as job:
        for event in job:
            if isinstance(event, Finished):
                outcome: SlideOutcome = replace(event.result, worker=worker.address)
                return outcome
            publisher.show(event)
            if wanted.leaving():
                raise Reschedule
            if wanted.cancelled():
                break
    return SlideOutcome(task.path, "failed", reason="It was stopped; finished work is kept.", worker=worker.address)


class _Wanted:
    """Whether anybody still wants the task that this thread runs; dask itself cannot stop a thread."""

    def __init__(self, worker: Any, key: Any) -> None:
        self._worker, self._key = worker, key

    def leaving(self) -> bool:
        """Whether the worker is being closed (end of its lifetime, scaled down)."""
        return self._worker.status.name not in ("running", "paused", "init")

    def cancelled(self) -> bool:
        """Whether the client cancelled the task or went away."""
        state = self._worker.state.tasks.get(self._key)
        return state is None or state.state == "cancelled"


class _Publisher:
    """Tells the client how far a slide is, at most twice a second."""

    def __init__(self, send: Callable[[dict[str, Any]], None], call: Call, address: str) -> None:
        self._send, self._call, self._address = send, call, address
        self._total = 0
        self._spoke = 0.0

    def show(self, event: Event) -> None:
        """Publish what matters of an event."""
        match event:
            case Started():
                self._total, self._spoke = event.total, 0.0
                self._progress(event.done)
            case PatchesScored() | Working():
                self._progress(event.done)
            case Noted(message, level):
                self.publish("noted", message=message, level=level)
            case _:
                pass

    def publish(self, kind: str, **values: Any) -> None:
        """Send one message."""
        self._send({"kind": kind, "index": self._call.index, "worker": self._address, **values})

    def _progress(self, done: float) -> None:
        now = time.monotonic()
        if now - self._spoke >= _EVERY_SECONDS:
            self._spoke = now
            self.publish("progress", patches=int(done), total=int(self._total))


def _check_sees(task: SlideTask, call: Call, address: str) -> None:
    """Refuse a worker that does not share the client's folders: it would write where nobody looks."""
    who = f"Worker {address}"
    if call.marker and not _appears(call.marker):
        raise ClusterError(not_seen(who, "the folder of the results", task.out))
    for what, path in [("the slide", task.file), ("the region", task.roi), ("the tissue mask", task.tissue)]:
        # Of a refused slide the outcome is known already.
        if path is not None and not task.refusal and not os.path.exists(path):
            raise ClusterError(not_seen(who, what, path))


def _appears(path: str) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            return False
        # Listing a folder makes NFS ask the server again.
        if Path(path).parent.is_dir():
            os.listdir(Path(path).parent)
        time.sleep(0.2)
    return True


def _bundle(reference: ModelReference, settings: ClassifySettings, run: str, address: str) -> "Bundle":
    """Return the model, kept from slide to slide of one run in each thread."""
    key = (run, threading.get_ident())
    if key not in _kept:
        for other in [other for other in list(_kept) if other[1] == key[1]]:
            _kept.pop(other, None)
        _kept[key] = keep_loaded(open_reference(reference, f"Worker {address}"), settings)
    return _kept[key]
