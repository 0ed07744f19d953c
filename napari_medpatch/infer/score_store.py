"""Scores on disk while a run is under way, so that a stopped one goes on where it was.

The last bits of a network's output depend on the size of its batches. A run that goes on therefore keeps the
batches of the one that began: whole batches are stored, and their size beside them.
"""

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
    columns : int
        Numbers per patch.
    resume : bool
        Use parts that an earlier run of the same fingerprint left; otherwise they are deleted.
    """

    def __init__(self, folder: Path | None, fingerprint: str, columns: int, *, resume: bool = True) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._columns = columns
        self._batches: dict[str, int] = {}
        self._precision = ""
        self._level: int | None = None
        self._keys: list[Keys] = []
        self._values: list[Values] = []
        self._flushed = time.monotonic()
        if folder is not None and folder.is_dir() and not (resume and self._is_mine()):
            self.remove()

    def load(self) -> tuple[Keys, Values]:
        """Return ``(N, 2) int64`` cells and ``(N, columns) float32`` scores of an earlier run."""
        paths = self._parts() if self._is_mine() else ()
        parts = [part for path in paths if (part := _read_part(path, self._columns)) is not None]
        if not parts:
            return np.empty((0, 2), np.int64), np.empty((0, self._columns), np.float32)
        return np.concatenate([keys for keys, _ in parts]), np.concatenate([values for _, values in parts])

    def batch_size(self, device: str) -> int | None:
        """Return the size of an earlier run's batches on this kind of device, None if there are none."""
        if self._folder is None or not self._is_mine():
            return None
        size = read_record(self._folder / _RUN).get("batch_size", {}).get(device)
        return size if isinstance(size, int) and size > 0 else None

    def level(self) -> int | None:
        """Return the level of the image that an earlier run read, None if there is none."""
        level = read_record(self._folder / _RUN).get("level") if self._folder is not None and self._is_mine() else None
        return level if isinstance(level, int) else None

    def precision(self) -> str:
        """Return the precision of an earlier run's scores, empty if there are none."""
        return str(read_record(self._folder / _RUN).get("precision", "")) if self._folder and self._is_mine() else ""

    def keep_level(self, level: int) -> None:
        """Say which level of the image the scores to come are read from."""
        self._level = level

    def describe(self, device: str, batch_size: int, precision: str) -> None:
        """Say how the scores to come are computed; earlier ones of another precision are deleted."""
        known = read_record(self._folder / _RUN) if self._folder is not None and self._is_mine() else {}
        if known.get("precision", precision) != precision:
            self.remove()
        self._batches, self._precision = {device: batch_size}, precision

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
            self._sign()
            numbers = (int(path.stem[5:]) for path in self._parts() if path.stem[5:].isdecimal())
            name = f"part-{max(numbers, default=-1) + 1:06d}.npz"
            with atomic_file(self._folder / name) as path, path.open("wb") as file:
                np.savez(file, cells=np.concatenate(self._keys), scores=np.concatenate(self._values))
        self._keys, self._values = [], []
        self._flushed = time.monotonic()

    def remove(self) -> None:
        """Delete the parts and the folder; other files in it are left."""
        self._keys, self._values = [], []
        if self._folder is None or not self._folder.is_dir():
            return
        with suppress(OSError):
            # A killed process leaves temporary files too.
            for path in [*self._folder.glob(".tmp-*"), *self._parts(), self._folder / _RUN]:
                path.unlink(missing_ok=True)
            self._folder.rmdir()

    def _sign(self) -> None:
        """Say whose parts these are."""
        assert self._folder is not None
        known = read_record(self._folder / _RUN) if self._is_mine() else {}
        sizes = known.get("batch_size", {}) | self._batches
        level = self._level if self._level is not None else known.get("level")
        wanted = {
            "fingerprint": self._fingerprint, "precision": self._precision, "batch_size": sizes, "level": level
        }  # fmt: skip
        if known != wanted:
            write_json(self._folder / _RUN, wanted)

    def _is_mine(self) -> bool:
        return self._folder is not None and read_record(self._folder / _RUN).get("fingerprint") == self._fingerprint

    def _parts(self) -> Iterator[Path]:
        if self._folder is not None:
            yield from sorted(self._folder.glob("part-*.npz"))


def in_whole_batches(missing: npt.NDArray[np.bool_], size: int) -> npt.NDArray[np.bool_]:
    """Return which items to score so that every batch is the one of an unbroken run.

    Parameters
    ----------
    missing : ndarray
        ``(N,) bool``, in the order of visit.
    size : int
        Items per batch.

    Returns
    -------
    ndarray
        ``(N,) bool``: all items of every batch of which one is missing.
    """
    batch = np.arange(len(missing)) // size
    wanted: npt.NDArray[np.bool_] = np.isin(batch, batch[missing])
    return wanted


def read_record(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where the file is absent or damaged (the run is then done again)."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_part(path: Path, columns: int) -> tuple[Keys, Values] | None:
    """Read one part, None if it is damaged: its patches are scored again."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
            keys, values = part["cells"], part["scores"]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None
    if keys.shape != (len(values), 2) or values.shape != (len(keys), columns):
        return None
    return keys.astype(np.int64), values.astype(np.float32)
