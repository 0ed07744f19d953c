"""What runs on a worker, with a worker that only pretends."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_slides import write_slide

from napari_medpatch import __version__
from napari_medpatch.cohort import worker as cohort_worker
from napari_medpatch.cohort.model import ModelReference
from napari_medpatch.cohort.plan import SlideTask, plan
from napari_medpatch.cohort.worker import Call, forget_models, machine, score_slide
from napari_medpatch.infer.classify_result import ClassifySettings
from napari_medpatch.models.bundle import Bundle

distributed = pytest.importorskip("distributed")
CPU = ClassifySettings(device="cpu", batch_size=4)
KEY = "classify-1"


@dataclass
class PretendedWorker:
    """The part of a worker that a task sees; after ``patience`` messages it changes as told."""

    status: Any = field(default_factory=lambda: SimpleNamespace(name="running"))
    address: str = "tcp://node7:4000"
    after: Any = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = SimpleNamespace(tasks={KEY: SimpleNamespace(state="executing")})

    def get_current_task(self) -> str:
        return KEY

    def log_event(self, topic: str, message: dict[str, Any]) -> None:
        assert topic == "topic"
        self.messages.append(message)
        if self.after is not None and message.get("patches"):
            self.after(self)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> PretendedWorker:
    pretended = PretendedWorker()
    monkeypatch.setattr(distributed, "get_worker", lambda: pretended)
    monkeypatch.setattr(cohort_worker, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(cohort_worker, "_EVERY_SECONDS", 0.0)
    return pretended


@pytest.fixture
def task(tmp_path: Path) -> SlideTask:
    return plan([write_slide(tmp_path / "slide.tiff")], tmp_path / "out", CPU)[0]


@pytest.fixture
def model(mean_colour, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A reference that leads to a bundle in memory."""
    bundle = mean_colour()
    monkeypatch.setattr(cohort_worker, "open_reference", lambda reference, who: bundle)
    yield ModelReference(bundle)
    forget_models("run")


def _marked(task: SlideTask) -> Call:
    marker = Path(task.out) / ".cluster-run-1"
    marker.parent.mkdir(exist_ok=True)
    marker.touch()
    return Call("run", 3, "topic", str(marker))


def test_a_slide_is_scored_and_its_progress_published(worker, task, model) -> None:
    outcome = score_slide(task, model, _marked(task))
    assert (outcome.state, outcome.worker) == ("done", worker.address)
    assert worker.messages[0] == {"kind": "begun", "index": 3, "worker": worker.address}
    progress = [m["patches"] for m in worker.messages if m["kind"] == "progress"]
    assert progress[0] == 0
    assert progress[-1] == outcome.patches
    assert (Path(task.out) / "slide.csv").is_file()


def test_the_model_is_kept_until_it_is_forgotten(worker, task, model, monkeypatch) -> None:
    opened = []
    monkeypatch.setattr(cohort_worker, "open_reference", lambda *_: opened.append(1) or model.bundle)
    score_slide(task, model, _marked(task))
    score_slide(task, model, _marked(task))
    assert len(opened) == 1
    forget_models("run")
    score_slide(task, model, _marked(task))
    assert len(opened) == 2


def test_a_worker_that_cannot_see_the_slide_says_so(worker, task, model) -> None:
    call = _marked(task)
    Path(task.file).unlink()
    outcome = score_slide(task, model, call)
    assert outcome.state == "failed"
    assert worker.address in outcome.reason
    assert task.file in outcome.reason
    assert "share" in outcome.reason


def test_a_worker_that_sees_another_output_folder_writes_nothing(worker, task, model) -> None:
    call = _marked(task)
    Path(call.marker).unlink()
    outcome = score_slide(task, model, call)
    assert outcome.state == "failed"
    assert f"the folder of the results {task.out}" in outcome.reason
    assert list(Path(task.out).iterdir()) == []


def test_a_worker_without_the_model_says_so(worker, task, patch_card, tmp_path) -> None:
    reference = ModelReference(Bundle(tmp_path / "absent-model", patch_card()))
    outcome = score_slide(task, reference, _marked(task))
    assert outcome.state == "failed"
    assert "absent-model" in outcome.reason


def test_a_worker_that_is_closed_hands_its_slide_on(worker, task, model) -> None:
    worker.after = lambda who: setattr(who, "status", SimpleNamespace(name="closing_gracefully"))
    with pytest.raises(distributed.Reschedule):
        score_slide(task, model, _marked(task))
    assert list((Path(task.out) / "slide.parts").glob("*.npz")), "scores are kept for the next worker"
    assert not (Path(task.out) / "slide.json").exists()


@pytest.mark.parametrize("gone", [False, True])
def test_a_cancelled_task_stops_and_keeps_its_scores(worker, task, model, gone) -> None:
    def cancel(who: PretendedWorker) -> None:
        who.state.tasks = {} if gone else {KEY: SimpleNamespace(state="cancelled")}

    worker.after = cancel
    outcome = score_slide(task, model, _marked(task))
    assert outcome.state == "failed"
    assert "stopped" in outcome.reason
    assert list((Path(task.out) / "slide.parts").glob("*.npz"))


def test_machines_tell_their_versions() -> None:
    assert machine()["napari_medpatch"] == __version__
    assert machine()["python"].count(".") == 1
