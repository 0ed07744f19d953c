"""Progress of work that is made of parts."""

from collections.abc import Callable, Generator
from typing import ParamSpec, TypeVar

from napari_medpatch.events import Working
from napari_medpatch.patience import patiently, saying
from napari_medpatch.steps import telling

P = ParamSpec("P")
T = TypeVar("T")


def working(part: Generator[float, None, T], start: float = 0.0) -> Generator[Working, None, T]:
    """Run a part of a job that is one unit of its work, telling how far it is.

    Returns
    -------
    object
        What the part returned.
    """
    return (yield from telling(part, lambda done: Working(start + done)))


def wait_for(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Generator[float, None, T]:
    """Call a pure function in a thread; yields 0 until it is done.

    Returns
    -------
    object
        What the function returned.
    """
    return (yield from saying(0.0, patiently(function, *args, **kwargs)))
