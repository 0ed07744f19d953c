"""A file that many threads read and one closes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_medpatch.errors import MedPatchError


class OpenFile:
    """Who reads a file just now; closing waits for them.

    Closing a slide under a reading thread would crash the process.

    Parameters
    ----------
    path : Path
        The file, for the sentence that says that it was closed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._readers = 0
        self._closed = False
        self._state = threading.Condition()

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def check(self) -> None:
        """Raise :class:`MedPatchError` if it was closed."""
        if self._closed:
            raise MedPatchError(f"{self._path} was closed; open it again to read from it.")

    @contextmanager
    def read(self) -> Iterator[None]:
        """Hold the file open inside.

        Raises
        ------
        MedPatchError
            If it was closed.
        """
        with self._state:
            self.check()
            self._readers += 1
        try:
            yield
        finally:
            with self._state:
                self._readers -= 1
                self._state.notify_all()

    def close(self) -> bool:
        """Let nobody begin to read, and wait for those who do; returns whether it was open until now."""
        with self._state:
            if self._closed:
                return False
            self._closed = True
            self._state.wait_for(lambda: self._readers == 0)
        return True
