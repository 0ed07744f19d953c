"""The worker between a job and the window, with fake jobs."""

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_medpatch.errors import LabelsError
from napari_medpatch.events import Event, Finished, Noted, Started, StepDone
from napari_medpatch.plugin.job_row import JobRow, in_words
from napari_medpatch.plugin.jobs import JobRunner, _window_of


@pytest.fixture
def runner(qtbot: Any) -> JobRunner:
    return JobRunner()


def counting(count: int) -> Iterator[Event]:
    yield Started(count, "steps")
    for step in range(count):
        yield StepDone(step + 1, 1.0 / (step + 1), float(step), step + 1)
    yield Finished(count)


class Endless:
    """A job that only ends when it is closed, and remembers in which thread that was."""

    def __init__(self) -> None:
        self.closed_in: int | None = None

    def __call__(self) -> Iterator[Event]:
        try:
            yield Started(1000, "steps")
            for step in itertools.count(1):
                time.sleep(0.01)
                yield StepDone(step, 0.5, 0.0, step)
        finally:
            self.closed_in = threading.get_ident()


def test_result_arrives_after_all_events(qtbot: Any, runner: JobRunner) -> None:
    events: list[Event] = []
    runner.progressed.connect(events.extend)
    with qtbot.waitSignal(runner.finished, timeout=5000) as finished:
        runner.start(lambda: counting(500))
    assert finished.args == [500]
    assert [event.step for event in events if isinstance(event, StepDone)] == list(range(1, 501))


def test_events_are_gathered_so_that_the_window_is_not_flooded(qtbot: Any, runner: JobRunner) -> None:
    batches: list[Any] = []
    runner.progressed.connect(batches.append)
    began = time.monotonic()
    with qtbot.waitSignal(runner.idle, timeout=10000):
        runner.start(lambda: counting(20000))
    assert len(batches) <= 3 + 10 * (time.monotonic() - began)


def test_stop_closes_the_job_in_its_own_thread_within_a_second(qtbot: Any, runner: JobRunner) -> None:
    job = Endless()
    with qtbot.waitSignal(runner.progressed, timeout=5000):
        runner.start(job)
    began = time.monotonic()
    with qtbot.waitSignal(runner.stopped, timeout=1000):
        runner.stop()
    assert time.monotonic() - began < 1
    assert job.closed_in not in (None, threading.get_ident())
    assert not runner.is_running


@pytest.fixture
def window(qtbot: Any) -> QWidget:
    """With a runner somewhere inside."""
    window, box = QWidget(), QWidget()
    qtbot.addWidget(window)
    box.setParent(window)
    JobRunner(box).setObjectName("runner")
    window.show()
    return window


def test_a_job_ends_with_its_window(qtbot: Any, window: QWidget) -> None:
    runner, job = window.findChild(JobRunner), Endless()
    with qtbot.waitSignal(runner.progressed, timeout=10000):
        runner.start(job)
    with qtbot.waitSignal(runner.idle, timeout=10000):
        window.close()
    assert job.closed_in is not None
    # Nobody listens to the window when no job runs.
    window.show()
    window.close()


def test_a_job_goes_on_if_the_user_decides_not_to_close(qtbot: Any, window: QWidget) -> None:
    class Asked(QCloseEvent):
        """What the window system sends; napari asks, and may ignore it."""

        def spontaneous(self) -> bool:
            return True

    runner, job = window.findChild(JobRunner), Endless()
    with qtbot.waitSignal(runner.progressed, timeout=10000):
        runner.start(job)
    runner.eventFilter(window, Asked())
    qtbot.wait(100)
    assert runner.is_running
    assert job.closed_in is None
    with qtbot.waitSignal(runner.idle, timeout=10000):
        runner.eventFilter(window, Asked())
        window.hide()
    assert job.closed_in is not None


def test_a_stopped_runner_can_run_again(qtbot: Any, runner: JobRunner) -> None:
    with qtbot.waitSignal(runner.progressed, timeout=5000):
        runner.start(Endless())
    with qtbot.waitSignal(runner.idle, timeout=2000):
        runner.stop()
    with qtbot.waitSignal(runner.finished, timeout=5000) as finished:
        runner.start(lambda: counting(3))
    assert finished.args == [3]


def test_an_error_for_the_user_is_one_sentence_without_traceback(
    qtbot: Any, runner: JobRunner, said: list[str]
) -> None:
    def failing() -> Iterator[Event]:
        yield Noted("about to fail")
        raise LabelsError("Paint at least two classes.")

    with qtbot.waitSignal(runner.failed, timeout=5000) as failed:
        runner.start(failing)
    assert failed.args == ["Paint at least two classes."]
    assert said == ["Paint at least two classes."]


@pytest.mark.parametrize("fault", [RuntimeError("shapes differ"), KeyError("grid")])
def test_a_fault_of_the_program_ends_the_run_and_is_reported(
    qtbot: Any, runner: JobRunner, said: list[str], fault: Exception
) -> None:
    def faulty() -> Iterator[Event]:
        yield Started(1, "steps")
        raise fault

    with qtbot.waitSignal(runner.failed, timeout=5000) as failed, qtbot.waitSignal(runner.idle, timeout=5000):
        runner.start(faulty)
    assert type(fault).__name__ in failed.args[0]
    assert len(said) == 1


def test_row_shows_progress_and_message(qtbot: Any, runner: JobRunner) -> None:
    row = JobRow(runner, "&Run", "Run it.")
    qtbot.addWidget(row)
    with qtbot.waitSignal(runner.idle, timeout=5000):
        runner.start(lambda: counting(7))
        assert not row.run_button.isEnabled()
        assert row.stop_button.isEnabled()
    assert row.run_button.isEnabled()
    assert not row.stop_button.isEnabled()
    assert row.bar.value() == row.bar.maximum()
    assert row.bar.format().startswith("7 of 7 steps")
    assert row.message.text() == "Finished."


def test_row_shows_the_sentence_of_an_error(qtbot: Any, runner: JobRunner) -> None:
    row = JobRow(runner, "&Run", "Run it.")
    qtbot.addWidget(row)

    def failing() -> Iterator[Event]:
        raise LabelsError("Nothing is painted yet.")
        yield

    with qtbot.waitSignal(runner.idle, timeout=5000):
        runner.start(failing)
    assert row.message.text() == "Nothing is painted yet."
    assert row.run_button.isEnabled()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (45, "45 s"), (200, "3 min"), (4800, "80 min"), (6000, "1 h 40 min")]
)
def test_durations_as_people_say_them(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_a_panel_that_floats_belongs_to_its_main_window(qtbot: Any) -> None:
    window, panel = QMainWindow(), QWidget()
    qtbot.addWidget(window)
    dock = QDockWidget("panel", window)
    dock.setWidget(panel)
    dock.setFloating(True)
    assert panel.window() is dock
    assert _window_of(JobRunner(panel)) is window
