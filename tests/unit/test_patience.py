import threading
import time
from collections.abc import Generator

import pytest

from napari_medpatch.patience import patiently


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


def test_closing_does_not_wait() -> None:
    gate = threading.Event()
    waiting = patiently(gate.wait, 10)
    next(waiting)
    begun = time.perf_counter()
    waiting.close()
    assert time.perf_counter() - begun < 1
    gate.set()
