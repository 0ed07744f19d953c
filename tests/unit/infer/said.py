"""What work in steps says on the way."""

from collections.abc import Generator
from typing import TypeVar

from napari_medpatch import steps as work

S = TypeVar("S")
T = TypeVar("T")


def finish(steps: Generator[S, None, T]) -> tuple[T, list[S]]:
    """Run work to its end; returns its result and all that it said."""
    said: list[S] = []
    return work.finish(work.telling(steps, said.append)), said
