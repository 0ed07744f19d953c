"""The terminal consumer: bars, notes, and jobs that are always closed."""

from collections.abc import Iterator

import numpy as np
import pytest

from napari_medpatch.cli.progress import consume
from napari_medpatch.events import BlockSegmented, Event, Finished, Noted, Started, StepDone, Validated
from napari_medpatch.geometry import Box


def _job(closed: list[bool], error: BaseException | None = None) -> Iterator[Event]:
    try:
        yield Started(4, "blocks", done=1)
        yield Noted("two slices are empty", "warning")
        yield BlockSegmented(3, Box((0, 0), (1, 1)), np.zeros((1, 1), np.uint8))
        if error is not None:
            raise error
        yield StepDone(step=7, loss=0.25, seconds=1.0, done=4)
        yield Validated(7, {"dice": 0.912})
        yield Finished("result")
    finally:
        closed.append(True)


def test_result_comes_back_and_bar_shows_progress(capsys: pytest.CaptureFixture[str]) -> None:
    closed: list[bool] = []
    assert consume(_job(closed), "segment") == "result"
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "4/4" in shown.err
    assert "segment: warning: two slices are empty" in shown.err
    assert "dice 0.912" in shown.err
    assert closed == [True]


def test_quiet_still_shows_notes(capsys: pytest.CaptureFixture[str]) -> None:
    consume(_job([]), "segment", quiet=True)
    shown = capsys.readouterr().err
    assert "4/4" not in shown
    assert "two slices are empty" in shown


def test_job_is_closed_when_the_user_interrupts() -> None:
    closed: list[bool] = []

    def stop(event: Event) -> None:
        if isinstance(event, BlockSegmented):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume(_job(closed), "segment", quiet=True, also=stop)
    assert closed == [True]


def test_errors_of_the_job_pass_through() -> None:
    with pytest.raises(ValueError, match="inside"):
        consume(_job([], ValueError("inside")), "segment", quiet=True)
