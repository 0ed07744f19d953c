"""A run on a cluster, as the client sees it; the cluster only pretends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_medpatch.cohort import cluster as cohort_cluster
from napari_medpatch.cohort.many import classify_many
from napari_medpatch.cohort.outcome import SlideOutcome
from napari_medpatch.cohort.worker import machine, score_slide
from napari_medpatch.errors import BundleError, ClusterError, OutputError
from napari_medpatch.events import Finished, Noted, SlideDone, SlideProgress, Started, Working
from napari_medpatch.infer.classify import ClassifySettings

CPU = ClassifySettings(device="cpu")
WORKER = "tcp://node1:4000"


class PretendedFuture:
    """Ends when it is told to."""

    def __init__(self) -> None:
        self.status = "pending"
        self.value: Any = None
        self.callbacks: list[Callable[[Any], None]] = []

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self.callbacks.append(callback)

    def end(self, status: str, value: Any = None) -> None:
        self.status, self.value = status, value
        for callback in self.callbacks:
            callback(self)

    def result(self, timeout: float | None = None) -> Any:
        return self.value

    def exception(self) -> Any:
        return self.value


class PretendedClient:
    """A client whose tasks do what ``behave`` does with them: ``behave(client, future, task, call)``."""

    def __init__(self, behave: Callable[..., None], workers: dict[str, Any] | None = None) -> None:
        self.behave = behave
        self.workers = {WORKER: {"resources": {}}} if workers is None else workers
        self.status = "running"
        self.versions = {"dask": "2026.8.0", "distributed": "2026.8.0"}
        self.scheduler_versions = self.worker_versions = self.versions
        self.found: Any = machine()
        self.submitted: list[dict[str, Any]] = []
        self.cancelled: list[PretendedFuture] = []
        self.handlers: dict[str, Callable[[Any], None]] = {}
        self.asked = 0

    def scheduler_info(self) -> dict[str, Any]:
        self.asked += 1
        return {"workers": self.workers}

    def get_versions(self) -> dict[str, Any]:
        workers = {key: {"packages": self.worker_versions} for key in self.workers}
        return {
            "client": {"packages": self.versions},
            "scheduler": {"packages": self.scheduler_versions},
            "workers": workers,
        }

    def run(self, function: Any, *args: Any, on_error: str) -> dict[str, Any]:
        return dict.fromkeys(self.workers, self.found)

    def run_on_scheduler(self, function: Any) -> Any:
        return machine()

    def subscribe_topic(self, topic: str, handler: Callable[[Any], None]) -> None:
        self.handlers[topic] = handler

    def unsubscribe_topic(self, topic: str) -> None:
        del self.handlers[topic]

    def submit(self, function: Any, *args: Any, **options: Any) -> PretendedFuture:
        future = PretendedFuture()
        self.submitted.append({"function": function, "args": args, "future": future, **options})
        return future

    def cancel(self, futures: list[PretendedFuture]) -> None:
        self.cancelled += futures

    def tell(self, call: Any, **message: Any) -> None:
        """Publish what a worker would."""
        self.handlers[call.topic]((0.0, {"index": call.index, "worker": WORKER, **message}))

    def work(self) -> None:
        """Let the tasks that were not looked at yet behave."""
        for entry in self.submitted:
            if entry["function"] is score_slide and not entry.setdefault("seen", False):
                entry["seen"] = True
                task, _, call = entry["args"]
                self.behave(self, entry["future"], task, call)


class KilledWorker(Exception):  # noqa: N818 - the name is dask's
    """As dask's."""


def done(client: PretendedClient, future: PretendedFuture, task: Any, call: Any) -> None:
    client.tell(call, kind="begun")
    client.tell(call, kind="progress", patches=5, total=10)
    future.end("finished", SlideOutcome(task.path, "done", 10, worker=WORKER))


def killed(client: PretendedClient, future: PretendedFuture, task: Any, call: Any) -> None:
    client.tell(call, kind="begun")
    future.end("error", KilledWorker())


def never(client: PretendedClient, future: PretendedFuture, task: Any, call: Any) -> None:
    client.tell(call, kind="begun")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort_cluster, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(cohort_cluster, "_LOST_SECONDS", 0.1)


@pytest.fixture
def begin(mean_colour, tmp_path):
    """Run two slides on a client and return the events."""

    def start(client: PretendedClient, settings: ClassifySettings = CPU) -> list[Any]:
        events = []
        job = classify_many(["a.svs", "b.svs"], mean_colour(), settings, tmp_path / "out", scheduler=client)
        for event in job:
            events.append(event)
            client.work()
        return events

    return start


@pytest.fixture(autouse=True)
def _any_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle in memory has no paths to send."""
    monkeypatch.setattr(cohort_cluster, "refer_to", lambda bundle: bundle)


def test_one_task_per_slide_and_progress_in_the_client(begin, tmp_path) -> None:
    client = PretendedClient(done)
    events = begin(client)
    assert len(client.submitted) == 2
    assert {entry["resources"] for entry in client.submitted} == {None}
    assert len({entry["key"] for entry in client.submitted}) == 2
    (started,) = [event for event in events if isinstance(event, Started)]
    assert (started.total, started.unit) == (2, "slides")
    shown = [event for event in events if isinstance(event, SlideProgress)]
    assert [(e.patches, e.total, e.worker) for e in shown] == [(5, 10, WORKER)] * 2
    assert [event.outcome.path for event in events if isinstance(event, SlideDone)] == ["a.svs", "b.svs"]
    assert isinstance(events[-1], Finished)
    assert [slide.state for slide in events[-1].result.slides] == ["done", "done"]
    assert client.handlers == {}
    assert list((tmp_path / "out").iterdir()) == [], "the marker is removed"


def test_workers_find_the_marker_while_the_run_lasts(begin) -> None:
    seen = []

    def look(client, future, task, call) -> None:
        seen.append(Path(call.marker).is_file())
        done(client, future, task, call)

    begin(PretendedClient(look))
    assert seen == [True, True]


@pytest.mark.parametrize(
    ("announced", "device", "asked"),
    [
        ({"GPU": 1}, "auto", {"GPU": 1}),
        ({"GPU": 2.0}, "cuda", {"GPU": 1}),
        ({"GPU": 1}, "cpu", None),
        ({}, "cuda", None),
    ],
)
def test_a_slide_takes_one_gpu_where_workers_announce_them(begin, announced, device, asked) -> None:
    client = PretendedClient(done, {WORKER: {"resources": announced}, "tcp://node2:1": {}})
    begin(client, ClassifySettings(device=device))
    assert [entry["resources"] for entry in client.submitted] == [asked, asked]


def test_tasks_wait_here_so_that_workers_which_join_later_get_some(mean_colour, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cohort_cluster, "_LOOK_SECONDS", 0.0)
    waiting: list[Any] = []
    client = PretendedClient(lambda *call: waiting.append(call), {WORKER: {"resources": {"GPU": 1}, "nthreads": 8}})
    job = classify_many([f"{n}.svs" for n in range(40)], mean_colour(), ClassifySettings(), tmp_path, scheduler=client)
    assert isinstance(next(job), Started)
    assert len(client.submitted) == 1 + 4
    client.workers["tcp://node2:1"] = {"resources": {"GPU": 6}, "nthreads": 8}
    next(job)
    next(job)
    assert len(client.submitted) == 7 + 7
    events = []
    for event in job:
        events.append(event)
        client.work()
        while waiting:
            done(*waiting.pop())
    assert [slide.state for slide in events[-1].result.slides] == ["done"] * 40
    assert [slide.path for slide in events[-1].result.slides] == [f"{n}.svs" for n in range(40)]


def test_an_empty_cluster_is_woken_and_waited_for(begin) -> None:
    client = PretendedClient(done, workers={})
    ask = client.scheduler_info

    def later() -> dict[str, Any]:
        if client.asked == 2:
            client.workers = {WORKER: {"resources": {}}}
        return ask()

    client.scheduler_info = later  # type: ignore[method-assign]
    events = begin(client)
    assert client.submitted[0]["function"] is machine
    assert any(isinstance(event, Noted) and "Waiting for a worker" in event.message for event in events)
    assert isinstance(events[-1], Finished)


def test_a_slide_is_given_up_after_four_dead_workers(begin) -> None:
    client = PretendedClient(lambda *a: (killed if a[2].path == "a.svs" else done)(*a))
    events = begin(client)
    first, second = events[-1].result.slides
    assert (first.state, second.state) == ("failed", "done")
    assert "memory" in first.reason
    assert len(client.submitted) == 4 + 1
    assert sum(isinstance(e, Noted) and "goes on at" in e.message for e in events) == 3


def test_a_slide_that_never_began_is_not_blamed(begin) -> None:
    deaths = []

    def behave(client, future, task, call) -> None:
        if task.path == "a.svs" and len(deaths) < 6:
            deaths.append(1)
            future.end("error", KilledWorker())
        else:
            done(client, future, task, call)

    events = begin(PretendedClient(behave))
    assert [slide.state for slide in events[-1].result.slides] == ["done", "done"]
    assert len(deaths) == 6


def test_an_unexpected_error_fails_its_slide_only(begin) -> None:
    def behave(client, future, task, call) -> None:
        if task.path == "a.svs":
            future.end("error", RuntimeError("no\nluck"))
        else:
            done(client, future, task, call)

    first, second = begin(PretendedClient(behave))[-1].result.slides
    assert (first.state, first.reason) == ("failed", "Unexpected RuntimeError: no luck")
    assert second.state == "done"


def test_a_model_at_fault_ends_the_run_and_cancels_the_rest(begin, tmp_path) -> None:
    def behave(client, future, task, call) -> None:
        if task.path == "a.svs":
            future.end("error", BundleError("The weights are altered."))

    client = PretendedClient(behave)
    with pytest.raises(BundleError, match="altered"):
        begin(client)
    assert client.submitted[1]["future"] in client.cancelled
    assert list((tmp_path / "out").iterdir()) == []


def test_closing_cancels_what_waits_and_what_runs(mean_colour, tmp_path) -> None:
    client = PretendedClient(never)
    job = classify_many(["a.svs", "b.svs"], mean_colour(), CPU, tmp_path / "out", scheduler=client)
    for event in job:
        client.work()
        if isinstance(event, Working):
            break
    job.close()
    assert len(client.cancelled) == 2
    assert client.handlers == {}


@pytest.mark.parametrize("status", ["connecting", "closed"])
def test_a_lost_scheduler_ends_the_run(begin, status) -> None:
    client = PretendedClient(never)
    work = client.work

    def lose() -> None:
        work()
        if client.handlers:
            client.status = status

    client.work = lose  # type: ignore[method-assign]
    with pytest.raises(ClusterError, match="lost; finished work is kept"):
        begin(client)
    assert client.cancelled == [], "there is nobody to tell"


def test_a_task_that_somebody_cancelled_ends_the_run(begin) -> None:
    client = PretendedClient(lambda client, future, task, call: future.end("cancelled"))
    with pytest.raises(ClusterError, match="lost"):
        begin(client)


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        (
            "worker_versions",
            {"dask": "2026.8.0", "distributed": "2024.1.0"},
            (WORKER, "distributed 2024.1.0", "2026.8.0"),
        ),
        ("scheduler_versions", {"dask": "1", "distributed": "2026.8.0"}, ("The scheduler", "dask 1")),
        ("found", machine() | {"napari_medpatch": "0.0.1"}, (WORKER, "napari_medpatch 0.0.1")),
        ("found", machine() | {"python": "3.8"}, (WORKER, "python 3.8")),
        ("found", ModuleNotFoundError("No module named 'napari_medpatch'"), (WORKER, "No module named")),
    ],
)
def test_other_versions_are_refused(begin, attribute, value, words) -> None:
    client = PretendedClient(done)
    setattr(client, attribute, value)
    with pytest.raises(ClusterError) as caught:
        begin(client)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)
    assert client.submitted == []


def test_a_scheduler_without_the_package_is_refused(begin) -> None:
    client = PretendedClient(done)

    def fail(function: Any) -> None:
        raise ModuleNotFoundError("No module named 'napari_medpatch'")

    client.run_on_scheduler = fail  # type: ignore[method-assign]
    with pytest.raises(ClusterError, match="The scheduler cannot run napari_medpatch"):
        begin(client)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(mean_colour, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    client = PretendedClient(done)
    with pytest.raises(OutputError):
        list(classify_many(["a.svs"], mean_colour(), CPU, tmp_path / "file" / "out", scheduler=client))
    assert client.submitted == []
