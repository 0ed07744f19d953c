import gc
import threading
import time
import weakref
from collections.abc import Generator
from contextlib import suppress

import pytest

from napari_medpatch.patience import patiently, stepping


def test_it_yields_while_waiting_and_returns_the_result() -> None:
    gate = threading.Event()
    waiting = patiently(lambda x: (gate.wait(5), x + 1)[1], 41)
    assert next(waiting) is None
    assert next(waiting) is None
    gate.set()
    received: list[int] = []

    def keep() -> Generator[None, None, None]:
        received.append((yield from waiting))

    list(keep())
    assert received == [42]


def test_what_the_function_raises_is_raised() -> None:
    def fail() -> None:
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        list(patiently(fail))


class _Maps:
    """Something large that a pass makes."""


def test_an_error_that_was_dealt_with_holds_nothing_of_what_failed() -> None:
    """Or memory that ran out would stay taken until Python looks for cycles."""
    made: list[weakref.ref[_Maps]] = []

    def fail() -> None:
        maps = _Maps()
        made.append(weakref.ref(maps))
        raise MemoryError

    gc.collect()
    gc.disable()
    try:
        with suppress(MemoryError):
            list(patiently(fail))
        assert made[0]() is None
    finally:
        gc.enable()


def test_closing_does_not_wait() -> None:
    gate, ended = threading.Event(), list[bool]()
    waiting = patiently(lambda: ended.append(gate.wait(20)))
    next(waiting)
    waiting.close()
    assert ended == []
    gate.set()


def test_steps_are_run_in_threads_and_their_result_is_returned() -> None:
    threads: set[int] = set()

    def count() -> Generator[int, None, str]:
        for number in range(200):
            threads.add(threading.get_ident())
            yield number
        return "done"

    received: list[str] = []

    def keep() -> Generator[int, None, None]:
        received.append((yield from stepping(-1, count())))

    said = list(keep())
    assert received == ["done"]
    assert said == sorted(said)
    assert len(said) < 100
    assert threading.get_ident() not in threads


def test_a_long_step_repeats_the_last_word_until_it_ends() -> None:
    gate = threading.Event()

    def slow() -> Generator[int, None, None]:
        yield 5
        time.sleep(0.25)
        yield 6
        gate.wait(10)

    said = stepping(0, slow())
    found = [next(said) for _ in range(6)]
    assert found == sorted(found)
    assert {5, 6} & set(found)
    said.close()
    gate.set()


def test_what_a_step_raises_is_raised() -> None:
    def fail() -> Generator[int, None, None]:
        yield 1
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        list(stepping(0, fail()))
