"""Consume a job on a terminal: one bar with ETA on stderr, notes above it."""

import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from napari_medpatch.events import (
    BlockSegmented,
    Event,
    Finished,
    Job,
    Noted,
    PatchesScored,
    Started,
    StepDone,
    Validated,
    Working,
)

if TYPE_CHECKING:
    from tqdm import tqdm

_COUNTS = "{{n:.{digits}f}}/{{total}} {unit}, {{elapsed}} gone, {{remaining}} left{{postfix}}"
_BAR = "{{desc}}: {{percentage:3.0f}}%|{{bar}}| " + _COUNTS


class Terminal:
    """Shows a job's events on stderr.

    Parameters
    ----------
    title : str
        What stands left of the bar.
    quiet : bool
        Show notes only.
    patience : float
        Seconds before a bar appears.
    """

    digits = 0
    """Of the count of units done."""

    def __init__(self, title: str, *, quiet: bool = False, patience: float = 0.0) -> None:
        self.title = title
        self.quiet = quiet
        self.patience = patience
        self.bar: tqdm[Any] | None = None

    def show(self, event: Event) -> None:
        """Draw one event."""
        match event:
            case Started():
                self._start(event)
            case Noted():
                self._write(f"{event.level}: {event.message}")
            case Validated():
                self._write("held out: " + ", ".join(f"{k} {v:.3f}" for k, v in event.metrics.items()))
            case PatchesScored() | BlockSegmented() | StepDone() | Working():
                self._advance(event)
            case _:
                pass

    def close(self) -> None:
        """Leave the bar as it is and end its line."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _start(self, event: Started) -> None:
        from tqdm import tqdm

        self.close()
        self.bar = tqdm(
            total=event.total,
            initial=event.done,
            desc=self.title,
            bar_format=_BAR.format(unit=event.unit, digits=self.digits),
            file=sys.stderr,
            disable=self.quiet,
            delay=self.patience,
            dynamic_ncols=True,
            # A log file gets a line every few seconds, not ten a second.
            mininterval=0.2 if sys.stderr.isatty() else 5.0,
        )

    def _advance(self, event: PatchesScored | BlockSegmented | StepDone | Working) -> None:
        if self.bar is None:
            return
        # The prediction at the end of a training job counts blocks, not its seconds: never go back.
        self.bar.update(max(0, event.done - self.bar.n))
        if isinstance(event, StepDone):
            self.bar.set_postfix(step=event.step, loss=f"{event.loss:.3f}", refresh=False)

    def _write(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(f"{self.title}: {line}", file=sys.stderr)


def consume(
    job: Job,
    title: str,
    *,
    quiet: bool = False,
    also: Callable[[Event], None] | None = None,
    patience: float = 0.0,
) -> Any:
    """Run a job to its end, showing it; close it whatever happens.

    Parameters
    ----------
    job : iterator of events
        A job generator.
    title : str
        What stands left of the bar.
    quiet : bool
        No bar.
    also : callable, optional
        Called with each event after it was shown.
    patience : float
        Seconds before a bar appears.

    Returns
    -------
    object
        The job's result.
    """
    terminal = Terminal(title, quiet=quiet, patience=patience)
    result = None
    with closing(terminal), closing(job):
        for event in job:
            terminal.show(event)
            if also is not None:
                also(event)
            if isinstance(event, Finished):
                result = event.result
    return result
