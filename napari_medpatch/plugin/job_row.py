"""Run, Stop, a bar with the time left, and what the job says."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_medpatch.events import (
    BlockSegmented,
    Event,
    Noted,
    PatchesScored,
    Started,
    StepDone,
    Validated,
    Working,
)
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.job_subject import JobSubject
from napari_medpatch.plugin.jobs import JobRunner

if TYPE_CHECKING:
    import napari.layers

_COUNTED = (PatchesScored, BlockSegmented, StepDone, Working)
_FINE = 1000
"""Steps of the bar, so that it moves between two blocks too."""


class JobRow(QWidget):
    """Shows one :class:`JobRunner`.

    Parameters
    ----------
    runner : JobRunner
        What it shows and stops.
    verb : str
        Text of the start button, with its mnemonic.
    tip : str
        What the button does.
    beginning : str
        What it says until the job knows how much there is to do.
    if_stopped : str
        What becomes of it when the user stops it, as the rest of a sentence.
    current : CurrentImage, optional
        Where jobs are about the image that was in view when they began: another one in view does not take them over.
    """

    def __init__(
        self,
        runner: JobRunner,
        verb: str,
        tip: str,
        parent: QWidget | None = None,
        beginning: str = "Loading the model…",
        if_stopped: str = "",
        current: CurrentImage | None = None,
    ) -> None:
        super().__init__(parent)
        self.runner, self._beginning = runner, beginning
        self._if_stopped = f"; {if_stopped}." if if_stopped else "."
        self.subject = JobSubject(current) if current is not None else None
        self.run_button = QPushButton(verb)
        self.run_button.setToolTip(tip)
        self.stop_button = QPushButton("S&top")
        self.stop_button.setToolTip(f"End the job now{self._if_stopped}")
        self.stop_button.setEnabled(False)
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress")
        self.bar.hide()
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.hide()
        self._begun, self._first_done, self._total, self._unit = 0.0, 0, 1, ""
        self._lay_out()
        self._connect()

    def about(self, image: "napari.layers.Layer") -> None:
        """Say which image the job that begins is about, whenever another one is in view."""
        if self.subject is not None:
            self.subject.take(image)

    def say(self, sentence: str) -> None:
        """Show a sentence under the bar."""
        self.message.setText(sentence)
        self.message.setVisible(bool(sentence))

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.stop_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.addLayout(buttons)
        if self.subject is not None:
            layout.addWidget(self.subject)
        layout.addWidget(self.bar)
        layout.addWidget(self.message)

    def _connect(self) -> None:
        self.stop_button.clicked.connect(self._on_stop_clicked)
        self.runner.started.connect(self._on_started)
        self.runner.progressed.connect(self._on_progressed)
        self.runner.failed.connect(self.say)
        self.runner.stopped.connect(lambda: self.say(f"Stopped{self._if_stopped}"))
        self.runner.finished.connect(lambda _result: self.say("Finished."))
        self.runner.idle.connect(self._on_idle)

    def _on_started(self) -> None:
        self.run_button.setEnabled(False)
        self.stop_button.setEnabled(True)
        self.bar.setRange(0, 0)
        self.bar.setFormat("")
        self.bar.show()
        self.say(self._beginning)

    def _on_stop_clicked(self) -> None:
        self.stop_button.setEnabled(False)
        self.say("Stopping…")
        self.runner.stop()

    def _on_idle(self) -> None:
        self.run_button.setEnabled(True)
        self.stop_button.setEnabled(False)
        self.bar.hide()

    def _on_progressed(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Started):
                self._begin(event)
            elif isinstance(event, Noted):
                self.say(event.message)
            elif isinstance(event, Validated):
                self.say(scores_in_words(event.metrics))
        counted = [event for event in events if isinstance(event, _COUNTED)]
        if counted:
            self._advance(counted[-1].done)

    def _begin(self, event: Started) -> None:
        self._begun, self._first_done, self._unit = time.monotonic(), event.done, event.unit
        self._total = max(1, event.total)
        self.bar.setRange(0, _FINE)
        self._advance(event.done)
        self.say("")

    def _advance(self, done: float) -> None:
        # A bar paints itself, and with it the window's canvas, on the spot; this lets it wait for the next frame.
        self.bar.setUpdatesEnabled(False)
        self.bar.setValue(min(_FINE, round(_FINE * done / self._total)))
        self.bar.setFormat(f"{int(done):,} of {self._total:,} {self._unit}{self._time_left(done)}")
        self.bar.setUpdatesEnabled(True)

    def _time_left(self, done: float) -> str:
        elapsed, total = time.monotonic() - self._begun, self._total
        if done <= self._first_done or elapsed < 1:
            return ""
        left = (total - done) * elapsed / (done - self._first_done)
        return f", {in_words(left)} left"


def scores_in_words(metrics: Mapping[str, float]) -> str:
    """Return the scores that a painter wants to know, as one sentence; empty if there are none."""
    known = [f"{name} {metrics[key]:.2f}" for key, name in (("dice", "Dice"), ("iou", "IoU")) if key in metrics]
    return f"On strokes held out: {', '.join(known)}." if known else ""


def in_words(seconds: float) -> str:
    """Return a duration as people say it: ``"45 s"``, ``"3 min"``, ``"1 h 20 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
