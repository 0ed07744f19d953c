"""Scores on disk while a run is under way, so that a stopped one goes on where it was."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from napari_medpatch.io.atomic import atomic_file, write_json

_RUN = "run.json"
_EVERY_SECONDS = 3.0

Keys = npt.NDArray[np.int64]
Values = npt.NDArray[np.float32]


class ScoreStore:
    """Parts of scores in a folder, tied to one run by its fingerprint.

    Parameters
    ----------
    folder : Path or None
        Created with the first part; None keeps nothing.
    fingerprint : str
        Of everything that decides the scores. Parts of another fingerprint are deleted.
    classes : int
        Number of columns.
    resume : bool
        Use parts that an earlier run of the same fingerprint left; otherwise they are deleted.
    """

    def __init__(self, folder: Path | None, fingerprint: str, classes: int, *, resume: bool = True) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._classes = classes
        self._keys: list[Keys] = []
        self._values: list[Values] = []
        self._flushed = time.monotonic()
        if folder is not None and folder.is_dir() and not (resume and self._is_mine()):
            self.remove()

    def load(self) -> tuple[Keys, Values]:
        """Return ``(N, 2) int64`` cells and ``(N, C) float32`` probabilities of an earlier run."""
        paths = self._parts() if self._is_mine() else ()
        parts = [part for path in paths if (part := _read_part(path, self._classes)) is not None]
        if not parts:
            return np.empty((0, 2), np.int64), np.empty((0, self._classes), np.float32)
        return np.concatenate([keys for keys, _ in parts]), np.concatenate([values for _, values in parts])

    def add(self, keys: Keys, values: Values) -> None:
        """Keep scores; they are on disk within three seconds of the next call, or by :meth:`flush`.

        Raises
        ------
        OutputError
            If the folder cannot be written or the disk is full.
        """
        self._keys.append(keys)
        self._values.append(values)
        if time.monotonic() - self._flushed > _EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was added as one more part."""
        if self._folder is not None and self._keys:
            if not self._is_mine():
                write_json(self._folder / _RUN, {"fingerprint": self._fingerprint})
            numbers = (int(path.stem[5:]) for path in self._parts() if path.stem[5:].isdecimal())
            name = f"part-{max(numbers, default=-1) + 1:06d}.npz"
            with atomic_file(self._folder / name) as path, path.open("wb") as file:
                np.savez(file, cells=np.concatenate(self._keys), probabilities=np.concatenate(self._values))
        self._keys, self._values = [], []
        self._flushed = time.monotonic()

    def remove(self) -> None:
        """Delete the parts and the folder; other files in it are left."""
        self._keys, self._values = [], []
        if self._folder is None or not self._folder.is_dir():
            return
        with suppress(OSError):
            for path in [*self._parts(), self._folder / _RUN]:
                path.unlink(missing_ok=True)
            self._folder.rmdir()

    def _is_mine(self) -> bool:
        return self._folder is not None and read_record(self._folder / _RUN).get("fingerprint") == self._fingerprint

    def _parts(self) -> Iterator[Path]:
        if self._folder is not None:
            yield from sorted(self._folder.glob("part-*.npz"))


def read_record(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where the file is absent or damaged (the run is then done again)."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_part(path: Path, classes: int) -> tuple[Keys, Values] | None:
    """Read one part, None if it is damaged: its patches are scored again."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
            keys, values = part["cells"], part["probabilities"]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None
    if keys.shape != (len(values), 2) or values.shape != (len(keys), classes):
        return None
    return keys.astype(np.int64), values.astype(np.float32)
