"""Jobs made of other generators."""

from collections.abc import Generator

import pytest

from napari_medpatch.events import Finished, Started, Working, counted, run


def steps(closed: list[bool]) -> Generator[int, None, str]:
    try:
        yield from (1, 2, 3)
    finally:
        closed.append(True)
    return "result"


def test_counts_become_events_and_the_result_is_handed_on() -> None:
    closed: list[bool] = []

    def job():
        yield Started(3, "slices")
        yield Finished((yield from counted(steps(closed))))

    events = list(job())
    assert events[1:-1] == [Working(1), Working(2), Working(3)]
    assert events[-1] == Finished("result")
    assert run(job()) == "result"


def test_closing_the_job_closes_the_steps() -> None:
    closed: list[bool] = []
    job = counted(steps(closed))
    assert next(job) == Working(1)
    job.close()
    assert closed == [True]


def test_errors_of_the_steps_pass_through() -> None:
    def broken() -> Generator[int, None, None]:
        yield 1
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(counted(broken()))
