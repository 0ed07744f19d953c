"""Wait for a library call that cannot be interrupted without keeping a job from being stopped."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

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
    try:
        future = executor.submit(function, *args, **kwargs)
        while wait([future], timeout=INTERVAL_S).not_done:
            yield
        return future.result()
    finally:
        executor.shutdown(wait=False)


def saying(word: S, call: Generator[None, None, T]) -> Generator[S, None, T]:
    """Yield a word whenever a patient call yields, and return its result."""
    while True:
        try:
            next(call)
        except StopIteration as end:
            result: T = end.value
            return result
        yield word
