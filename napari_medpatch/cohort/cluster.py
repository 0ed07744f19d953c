"""Slides as tasks of a dask cluster: one task per slide, results written by the workers."""

import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from napari_medpatch.cohort.connect import check_machines, connected, resources_for, slots_of, wait_for_worker
from napari_medpatch.cohort.model import ModelReference, refer_to
from napari_medpatch.cohort.outcome import CohortResult, SlideOutcome
from napari_medpatch.cohort.plan import SlideTask, naming
from napari_medpatch.cohort.worker import Call, forget_models, score_slide
from napari_medpatch.errors import ClusterError, MedPatchError
from napari_medpatch.events import Event, Finished, Job, Noted, SlideDone, SlideProgress, Started, Working
from napari_medpatch.io.atomic import check_writable, write_text

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

_ATTEMPTS = 4
"""How often work on a slide may begin before it is blamed for the workers that die."""
_POLL_SECONDS = 0.5
_LOST_SECONDS = 20.0
_LOOK_SECONDS = 5.0
"""How often the number of workers is asked for."""


def cluster_job(tasks: tuple[SlideTask, ...], bundle: "Bundle", scheduler: Any) -> Job:
    """Classify slides on a cluster; see :func:`napari_medpatch.cohort.many.classify_many`."""
    with connected(scheduler) as client, _marker(tasks) as marker:
        workers = yield from wait_for_worker(client, _address(client, scheduler))
        check_machines(client)
        run = ClusterRun(client, tasks, refer_to(bundle), marker)
        run.resources = resources_for(workers, tasks[0].settings.device) if tasks else {}
        with closing(run.events()) as events:
            yield from events


def _address(client: Any, scheduler: Any) -> str:
    if isinstance(scheduler, str | os.PathLike):
        return os.fspath(scheduler)
    return str(getattr(getattr(client, "scheduler", None), "address", "the cluster"))


@contextmanager
def _marker(tasks: tuple[SlideTask, ...]) -> Iterator[str]:
    """Leave a file in the folder of the results while a run lasts, by which workers know the folder."""
    if not tasks:
        yield ""
        return
    path = Path(tasks[0].out) / f".cluster-run-{uuid.uuid4().hex}"
    check_writable(path)
    write_text(path, "A cluster run writes into this folder.\n")
    try:
        yield str(path)
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@dataclass(slots=True)
class _Slide:
    """How far one slide is."""

    future: Any = None
    begun: int = 0
    share: float = 0.0
    worker: str = ""
    outcome: SlideOutcome | None = None


@dataclass(slots=True)
class ClusterRun:
    """One run over slides on a cluster.

    Parameters
    ----------
    client : distributed.Client
        Connected, or whatever behaves like it.
    tasks : tuple of SlideTask
        What is to be done.
    reference : ModelReference
        With which model.
    marker : str
        File in the folder of the results by which workers know it.
    resources : mapping
        What each slide asks of a worker.
    """

    client: Any
    tasks: tuple[SlideTask, ...]
    reference: ModelReference
    marker: str = ""
    resources: Mapping[str, float] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"medpatch-{uuid.uuid4().hex[:12]}")
    inbox: "SimpleQueue[Any]" = field(default_factory=SimpleQueue)
    slides: list[_Slide] = field(default_factory=list)
    slots: int = 0
    looked: float = -inf

    def events(self) -> Job:
        """Yield the job's events from :class:`Started` on; closing cancels what is not finished."""
        self.slides = [_Slide() for _ in self.tasks]
        self.client.subscribe_topic(self.name, lambda event: self.inbox.put(event[1]))
        try:
            self._top_up()
            yield Started(len(self.tasks), "slides", context={"paths": [task.path for task in self.tasks]})
            yield from self._watch()
            self.client.run(forget_models, self.name, on_error="ignore")
        finally:
            self._clean_up()
        yield Finished(CohortResult(tuple(slide.outcome for slide in self.slides if slide.outcome is not None)))

    def _top_up(self) -> None:
        """Keep twice as many slides with the scheduler as the workers can take, a few more if they are few.

        Dask gives tasks that ask for resources to the workers of the moment; those that join later would find
        nothing left. What waits is what lets an adaptive cluster grow.
        """
        now = time.monotonic()
        if now - self.looked > _LOOK_SECONDS:
            self.looked = now
            self.slots = slots_of(self.client.scheduler_info()["workers"], self.resources)
        open_ = sum(slide.future is not None for slide in self.slides)
        fresh = (i for i, slide in enumerate(self.slides) if slide.future is None and slide.outcome is None)
        for index in islice(fresh, max(0, self.slots + max(4, self.slots) - open_)):
            self._submit(index)

    def _submit(self, index: int) -> None:
        slide = self.slides[index]
        call = Call(self.name, index, self.name, self.marker)
        slide.future = self.client.submit(
            score_slide,
            self.tasks[index],
            self.reference,
            call,
            key=f"classify-slide-{uuid.uuid4().hex}",
            pure=False,
            priority=-index,
            resources=dict(self.resources) or None,
        )
        slide.future.add_done_callback(lambda future: self.inbox.put((index, future)))

    def _watch(self) -> Iterator[Event]:
        lost_since = None
        while any(slide.outcome is None for slide in self.slides):
            try:
                message = self.inbox.get(timeout=_POLL_SECONDS)
            except Empty:
                message = None
            if message is None:
                yield Working(self._done())
            elif isinstance(message, tuple):
                yield from self._settle(*message)
            else:
                yield from self._progress(message)
            lost_since = self._check_connection(lost_since)
            if lost_since is None:
                with suppress(OSError):  # The connection may break just now; the next round sees it.
                    self._top_up()

    def _check_connection(self, lost_since: float | None) -> float | None:
        if getattr(self.client, "status", "running") == "running":
            return None
        since = lost_since if lost_since is not None else time.monotonic()
        if time.monotonic() - since > _LOST_SECONDS or self.client.status == "closed":
            raise ClusterError(_LOST)
        return since

    def _progress(self, message: Mapping[str, Any]) -> Iterator[Event]:
        """Show what a worker published."""
        index = int(message["index"])
        slide, path = self.slides[index], self.tasks[index].path
        if slide.outcome is not None:
            return
        match message["kind"]:
            case "begun":
                slide.begun += 1
                if slide.begun > 1:
                    yield Noted(
                        f"{Path(path).name} goes on at {message['worker']}: {slide.worker} went away.", "warning"
                    )
                slide.worker = str(message["worker"])
            case "noted":
                yield Noted(naming(path, message["message"]), message["level"])
            case "progress":
                slide.share = min(1.0, message["patches"] / max(message["total"], 1))
                yield SlideProgress(self._done(), path, message["patches"], message["total"], message["worker"])

    def _settle(self, index: int, future: Any) -> Iterator[Event]:
        """Take the end of a task: an outcome, a model that no slide can help, or a worker that died."""
        slide = self.slides[index]
        if slide.outcome is not None or future is not slide.future:
            return
        if future.status in ("cancelled", "lost"):
            raise ClusterError(_LOST)
        outcome = self._outcome(index, future)
        if outcome is not None:
            slide.outcome, slide.future, slide.share = outcome, None, 0.0
            yield SlideDone(self._done(), outcome)

    def _outcome(self, index: int, future: Any) -> SlideOutcome | None:
        """Return what a task that ended says, None if it is not over."""
        slide = self.slides[index]
        if future.status == "error":
            error = future.exception()
            if isinstance(error, MedPatchError):
                raise error
            if type(error).__name__ == "KilledWorker" and slide.begun < _ATTEMPTS:
                # Workers died, but perhaps over another slide.
                self._submit(index)
                return None
            return SlideOutcome(self.tasks[index].path, "failed", reason=_reason(error), worker=slide.worker)
        try:
            outcome: SlideOutcome = future.result(timeout=10)
        except TimeoutError:
            # The worker that held the outcome died; dask computes it again, which is quick.
            future.add_done_callback(lambda again: self.inbox.put((index, again)))
            return None
        return outcome

    def _done(self) -> float:
        return sum(1.0 if slide.outcome is not None else slide.share for slide in self.slides)

    def _clean_up(self) -> None:
        """Cancel what is under way; workers notice within a second and keep the scores they have."""
        waiting = [slide.future for slide in self.slides if slide.outcome is None and slide.future is not None]
        if waiting and getattr(self.client, "status", "running") == "running":
            self.client.cancel(waiting)
        with suppress(ValueError):
            self.client.unsubscribe_topic(self.name)


_LOST = "The connection to the dask scheduler was lost; finished work is kept, so run the same command again."


def _reason(error: BaseException) -> str:
    if type(error).__name__ == "KilledWorker":
        return "Every worker that began with it died, perhaps for lack of memory; see the logs of the workers."
    return f"Unexpected {type(error).__name__}: {' '.join(str(error).split())}"
