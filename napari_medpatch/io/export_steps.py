"""Ways to write a file so that somebody can watch and stop it."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np

from napari_medpatch.events import Noted
from napari_medpatch.io.atomic import atomic_file, atomic_folder
from napari_medpatch.io.source import AnyArray
from napari_medpatch.patience import patiently
from napari_medpatch.steps import telling

T = TypeVar("T")
Steps: TypeAlias = Generator[float | Noted, None, Path]
"""Yields the share that is done, 0 to 1, and what the user should know; returns the file."""

_SLAB_BYTES = 8 << 20


class _AbandonedError(Exception):
    """Nobody waits for the file any more."""


def slabs(array: AnyArray) -> Iterator[tuple[float, bytes]]:
    """Yield an array's bytes, its first axis fastest, a few planes of the last at a time, and the share done.

    Parameters
    ----------
    array : ndarray
        ``(i, j, k)``, or with an axis of channels in front; views are fine, a slab is copied at a time.
    """
    planes = array.shape[-1]
    step = max(1, _SLAB_BYTES // max(1, array[..., :1].nbytes))
    for start in range(0, planes, step):
        block = array[..., start : start + step]
        yield min(1.0, (start + step) / planes), block.astype(block.dtype.newbyteorder("<")).tobytes(order="F")


def in_thread(target: Path, write: Callable[[Path], object], *, folder: bool = False) -> Steps:
    """Write a file with a library call that cannot be interrupted.

    Parameters
    ----------
    target : Path
        The file.
    write : callable
        Takes the path to write to, in a thread of its own. If the generator is closed meanwhile, what it wrote
        is thrown away when it ends.
    folder : bool
        Whether the target is a folder.
    """
    abandoned = threading.Event()
    place = atomic_folder if folder else atomic_file

    def work() -> None:
        with suppress(_AbandonedError), place(target) as temporary:
            write(temporary)
            if abandoned.is_set():
                raise _AbandonedError

    try:
        for _ in patiently(work):
            yield 0.0
    finally:
        abandoned.set()
    return target


def scaled(steps: Generator[float | Noted, None, T], start: float, share: float) -> Generator[float | Noted, None, T]:
    """Pass steps on as a share of a longer job, from ``start``."""
    return (yield from telling(steps, lambda step: step if isinstance(step, Noted) else start + share * step))


def fitted(array: AnyArray) -> AnyArray:
    """Return values in a type that NRRD, MetaImage and PNG have: booleans become bytes, halves floats."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    return array.astype(np.float32) if array.dtype == np.float16 else array
