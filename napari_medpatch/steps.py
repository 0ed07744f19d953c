"""Work in steps: generators that say how far they are and return a result."""

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, TypeVar

S = TypeVar("S")
T = TypeVar("T")
U = TypeVar("U")


def telling(steps: Generator[S, None, T], say: Callable[[S], U]) -> Generator[U, None, T]:
    """Run a piece of work that is part of another, whose listeners want to hear something else.

    Parameters
    ----------
    steps : generator
        The work; closed when this is closed.
    say : callable
        Makes of each thing that ``steps`` yields what is yielded instead.

    Returns
    -------
    object
        What ``steps`` returns: ``result = yield from telling(steps, say)``.
    """
    with closing(steps):
        while True:
            try:
                word = next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            yield say(word)


def part_of(steps: Generator[float, None, T], start: float, share: float) -> Generator[float, None, T]:
    """Run a part of some work: its progress from 0 to 1 becomes ``start`` to ``start + share``.

    Returns
    -------
    object
        What ``steps`` returns.
    """
    return (yield from telling(steps, lambda done: start + share * done))


def finish(steps: Generator[Any, None, T]) -> T:
    """Run work to its end, whatever it says on the way, and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
