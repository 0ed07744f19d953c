"""Progress of work that is made of parts."""

from collections.abc import Callable, Generator
from typing import ParamSpec, TypeVar

from napari_medpatch.events import Working
from napari_medpatch.patience import patiently

P = ParamSpec("P")
T = TypeVar("T")


def part_of(part: Generator[float, None, T], start: float, share: float) -> Generator[float, None, T]:
    """Run a part of some work; its progress from 0 to 1 becomes ``start`` to ``start + share``.

    Returns
    -------
    object
        What the part returned.
    """
    try:
        while True:
            yield start + share * next(part)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        part.close()


def working(part: Generator[float, None, T], start: float = 0.0) -> Generator[Working, None, T]:
    """Run a part of a job that is one unit of its work, telling how far it is.

    Returns
    -------
    object
        What the part returned.
    """
    try:
        while True:
            yield Working(start + next(part))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        part.close()


def wait_for(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Generator[float, None, T]:
    """Call a pure function in a thread; yields 0 until it is done.

    Returns
    -------
    object
        What the function returned.
    """
    waiting = patiently(function, *args, **kwargs)
    try:
        while True:
            next(waiting)
            yield 0.0
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        waiting.close()
