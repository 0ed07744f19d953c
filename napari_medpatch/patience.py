"""Wait for a library call that cannot be interrupted without keeping a job from being stopped."""

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar, cast

from napari_medpatch.steps import telling

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
INTERVAL_S = 0.1


def patiently(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Generator[None, None, T]:
    """Call a pure function in a thread and yield every tenth of a second until it is done.

    Closing the generator abandons the call: it runs to its end and its result is dropped. So the function
    must change nothing that others see.

    Returns
    -------
    object
        What the function returned; what it raised is raised.
    """
    executor = ThreadPoolExecutor(1, thread_name_prefix="medpatch-wait")
    future = executor.submit(function, *args, **kwargs)
    try:
        while wait([future], timeout=INTERVAL_S).not_done:
            yield
        return future.result()
    finally:
        executor.shutdown(wait=False)
        # An error holds this frame: if that held the error in turn, what failed would keep its memory.
        del future


def saying(word: S, call: Generator[None, None, T]) -> Generator[S, None, T]:
    """Yield a word whenever a patient call yields, and return its result."""
    return (yield from telling(call, lambda _: word))


def stepping(word: S, steps: Generator[S, None, T]) -> Generator[S, None, T]:
    """Run a generator in threads and yield what it yielded last, several times a second, and return its result.

    A step may take long; many short ones run in one go, because handing over to a thread costs more than they do.
    Closing this abandons the step under way, so that what the generator changes must be seen by nobody else.
    """
    last = word
    while True:
        ended, last, result = yield from saying(last, patiently(_some_steps, last, steps))
        if ended:
            return result
        yield last


def _some_steps(word: S, steps: Generator[S, None, T]) -> tuple[bool, S, T]:
    """Go on for a moment; returns whether that was the end, the last word, and the result."""
    until = time.monotonic() + INTERVAL_S
    try:
        while True:
            word = next(steps)
            if time.monotonic() > until:
                return False, word, cast("T", None)
    except StopIteration as end:
        return True, word, cast("T", end.value)
