"""Many slides on a terminal."""

import pytest

from napari_medpatch.cli.slides_table import SlidesTerminal, as_record, summary, table, top_class
from napari_medpatch.cohort.outcome import SlideOutcome
from napari_medpatch.events import Noted, SlideDone, SlideProgress, Started, Working

DONE = SlideOutcome(
    "slides/a.svs",
    "done",
    1234,
    12.34,
    score={"classes": {"other": {"mean": 0.17}, "tumour": {"mean": 0.83}}},
    files=("out/a.csv",),
    provenance={"task": "classify", "seconds": 99.0},
)
SKIPPED = SlideOutcome("b.svs", "skipped", 7, 0.01)
FAILED = SlideOutcome("c.svs", "failed", seconds=0.5, reason="c.svs is truncated; copy it again.")


def test_table_has_a_line_per_slide_and_a_summary() -> None:
    head, done, skipped, failed, last = table([DONE, SKIPPED, FAILED])
    assert head.split() == ["slide", "state", "patches", "seconds", "score", "reason"]
    assert done.split() == ["slides/a.svs", "done", "1234", "12.3", "tumour", "0.83"]
    assert skipped.split() == ["b.svs", "skipped", "7", "0.0"]
    assert failed.split(maxsplit=3) == ["c.svs", "failed", "0.5", FAILED.reason]
    assert failed.index(FAILED.reason) == head.index("reason")
    assert last == summary([DONE, SKIPPED, FAILED]) == "1 done, 1 skipped, 1 failed"


@pytest.mark.parametrize(
    ("score", "shown"),
    [
        ({}, ""),
        ({"classes": {"a": {"mean": None}}}, ""),
        ({"classes": {"a": {"mean": 0.4}, "b": {"mean": 0.6}}}, "b 0.60"),
        ({"classes": {"a": {"mean": 0.4}, "b": {"mean": 0.6}}, "attention": {"a": 0.9, "b": 0.1}}, "a 0.90"),
    ],
)
def test_the_top_class(score, shown) -> None:
    assert top_class(score) == shown


def test_a_record_is_that_of_the_run_and_what_became_of_the_slide() -> None:
    record = as_record(DONE)
    assert record["task"] == "classify"
    assert (record["path"], record["state"], record["seconds"]) == ("slides/a.svs", "done", 12.34)
    assert record["files"] == ["out/a.csv"]
    assert as_record(FAILED)["reason"] == FAILED.reason


def test_the_bar_counts_slides_and_names_the_one_under_way(capsys) -> None:
    terminal = SlidesTerminal("slides")
    terminal.show(Started(2, "slides"))
    terminal.show(SlideProgress(0.5, "x/a.svs", 50, 100, "tcp://node1:1"))
    assert terminal.bar is not None
    assert terminal.bar.n == 0.5
    terminal.show(Working(0.4))
    assert terminal.bar.n == 0.5, "it never goes back"
    terminal.show(Noted("a.svs: it is coarse", "warning"))
    terminal.show(SlideDone(2, FAILED))
    terminal.bar.refresh()
    terminal.close()
    shown = capsys.readouterr().err
    assert "2.0/2 slides" in shown
    assert "a.svs on tcp://node1:1: 50/100 patches" in shown
    assert "warning: a.svs: it is coarse" in shown
    assert f"c.svs failed: {FAILED.reason}" in shown


def test_events_before_the_start_are_harmless(capsys) -> None:
    terminal = SlidesTerminal("slides", quiet=True)
    terminal.show(Working(0))
    terminal.show(SlideProgress(0.5, "a.svs", 50, 100))
    terminal.show(Noted("Waiting for a worker."))
    terminal.close()
    assert "Waiting for a worker." in capsys.readouterr().err
