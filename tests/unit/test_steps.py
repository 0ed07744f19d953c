from collections.abc import Generator

import pytest

from napari_medpatch.steps import finish, part_of, telling


def work(closed: list[bool]) -> Generator[float, None, str]:
    try:
        yield 0.0
        yield 0.5
        yield 1.0
    finally:
        closed.append(True)
    return "result"


def heard(steps: Generator[float, None, str], received: list[str]) -> Generator[float, None, None]:
    received.append((yield from steps))


def test_others_hear_what_is_said_instead_and_get_the_result() -> None:
    received: list[str] = []
    said = list(heard(telling(work([]), lambda done: 100 * done), received))
    assert said == [0, 50, 100]
    assert received == ["result"]


def test_a_part_counts_as_its_share_of_the_whole() -> None:
    received: list[str] = []
    assert list(heard(part_of(work([]), 0.2, 0.4), received)) == pytest.approx([0.2, 0.4, 0.6])
    assert received == ["result"]


def test_stopping_closes_the_work_at_once() -> None:
    closed: list[bool] = []
    steps = work(closed)
    whole = telling(steps, str)
    next(whole)
    whole.close()
    assert closed == [True]


def test_finishing_returns_the_result_alone() -> None:
    assert finish(work([])) == "result"


def test_what_the_work_raises_is_raised() -> None:
    def fail() -> Generator[float, None, None]:
        yield 0.0
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        finish(fail())
    with pytest.raises(KeyError, match="inside"):
        list(telling(fail(), str))
