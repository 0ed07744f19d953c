"""Many slides on a terminal: a bar over slides, and a table at the end."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.cli.progress import Terminal
from napari_medpatch.events import Event, SlideDone, SlideProgress, Working

if TYPE_CHECKING:
    from napari_medpatch.cohort.outcome import SlideOutcome

_HEAD = ("slide", "state", "patches", "seconds", "score", "reason")
_NUMBERS = ("patches", "seconds")


class SlidesTerminal(Terminal):
    """Shows the events of many slides: whole slides in the bar, patches of the last one heard of behind it."""

    digits = 1

    def show(self, event: Event) -> None:
        """Draw one event."""
        match event:
            case SlideProgress():
                self._move(event.done)
                self._name(event)
            case Working():
                self._move(event.done)
            case SlideDone():
                self._move(event.done)
                if event.outcome.state == "failed":
                    self._write(f"{event.outcome.path} failed: {event.outcome.reason}")
            case _:
                super().show(event)

    def _move(self, done: float) -> None:
        if self.bar is not None:
            self.bar.update(max(0.0, done - self.bar.n))

    def _name(self, event: SlideProgress) -> None:
        if self.bar is not None and event.total:
            where = f" on {event.worker}" if event.worker else ""
            text = f"{Path(event.path).name}{where}: {event.patches}/{event.total} patches"
            self.bar.set_postfix_str(text, refresh=False)


def table(outcomes: "Sequence[SlideOutcome]") -> Iterator[str]:
    """Yield the lines of the table: one per slide, and a summary."""
    rows = [_HEAD, *(_row(outcome) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        cells = (_cell(name, text, width) for name, text, width in zip(_HEAD, row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    yield summary(outcomes)


def summary(outcomes: "Sequence[SlideOutcome]") -> str:
    """Return ``3 done, 1 skipped, 1 failed``."""
    counts = Counter(outcome.state for outcome in outcomes)
    return ", ".join(f"{counts[state]} {state}" for state in ("done", "skipped", "failed"))


def as_record(outcome: "SlideOutcome") -> dict[str, Any]:
    """Return an outcome as JSON: the record of the run, and what became of the slide now."""
    return {
        **outcome.provenance,
        "path": outcome.path,
        "state": outcome.state,
        "patches": outcome.patches,
        "seconds": round(outcome.seconds, 3),
        "reason": outcome.reason,
        "worker": outcome.worker,
        "score": dict(outcome.score),
        "files": list(outcome.files),
    }


def top_class(score: Mapping[str, Any]) -> str:
    """Return the highest class of a slide and its value, such as ``tumour 0.83``; empty without scores.

    The value is the attention-pooled probability where the model gives one, else the mean of the patches.
    """
    means = {name: values.get("mean") for name, values in score.get("classes", {}).items()}
    values = {name: value for name, value in dict(score.get("attention") or means).items() if value is not None}
    if not values:
        return ""
    name = max(values, key=lambda key: float(values[key]))
    return f"{name} {values[name]:.2f}"


def _row(outcome: "SlideOutcome") -> tuple[str, ...]:
    patches = str(outcome.patches) if outcome.state != "failed" else ""
    return (outcome.path, outcome.state, patches, f"{outcome.seconds:.1f}", top_class(outcome.score), outcome.reason)


def _cell(name: str, text: str, width: int) -> str:
    return text.rjust(width) if name in _NUMBERS else text.ljust(width)
