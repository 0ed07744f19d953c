"""Finished blocks of a segmentation on disk, so that a stopped or killed one goes on where it was."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.io.array_archive import BAD_ARCHIVE, read_array_archive, write_array_archive

_EVERY_SECONDS = 2.0
_ARRAY = "planes"

Bytes = npt.NDArray[np.uint8]


class BlockStore:
    """Blocks in a folder, one file each, tied to one run by its fingerprint.

    Every file is whole or absent, so the folder is valid whenever the process dies.

    Parameters
    ----------
    folder : Path or None
        Created with the first block; None keeps nothing.
    fingerprint : str
        Of everything that decides the result. Blocks of another fingerprint are deleted.
    resume : bool
        Use the blocks that an earlier run of the same fingerprint left; otherwise they are deleted.
    """

    def __init__(self, folder: Path | None, fingerprint: str, *, resume: bool = True) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._waiting: list[tuple[Box, Bytes]] = []
        self._flushed = time.monotonic()
        if not resume:
            self.remove()

    @property
    def keeps(self) -> bool:
        """Whether blocks are kept at all."""
        return self._folder is not None

    def load(self) -> Iterator[tuple[Box, Bytes]]:
        """Yield the blocks of an earlier run, ``(planes, *box.shape) uint8`` each; others are deleted."""
        for path in self._paths():
            block = self._read(path)
            if block is None:
                with suppress(OSError):
                    path.unlink()
            else:
                yield block

    def add(self, box: Box, planes: Bytes) -> None:
        """Keep a block; it is on disk within two seconds of the next call, or by :meth:`flush`.

        Raises
        ------
        OutputError
            If the folder cannot be written or the disk is full.
        """
        self._waiting.append((box, planes))
        if time.monotonic() - self._flushed > _EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
        for box, planes in self._waiting:
            if self._folder is not None:
                about = {"fingerprint": self._fingerprint, "start": box.start, "stop": box.stop}
                name = "block-" + "-".join(f"{n:05d}" for n in (*box.start, *box.stop)) + ".npz"
                write_array_archive(self._folder / name, _ARRAY, planes, about)
        self._waiting = []
        self._flushed = time.monotonic()

    def remove(self) -> None:
        """Delete the blocks and the folder; other files in it are left."""
        self._waiting = []
        if self._folder is None or not self._folder.is_dir():
            return
        with suppress(OSError):
            # A killed process leaves temporary files too.
            for path in [*self._folder.glob(".tmp-*"), *self._paths()]:
                path.unlink(missing_ok=True)
            self._folder.rmdir()

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("block-*.npz")) if self._folder is not None else []

    def _read(self, path: Path) -> tuple[Box, Bytes] | None:
        """Return a block, None if it is damaged or another run's."""
        try:
            planes, about = read_array_archive(path, _ARRAY)
            box = Box(tuple(int(n) for n in about["start"]), tuple(int(n) for n in about["stop"]))
        except BAD_ARCHIVE:
            return None
        return (box, planes) if about.get("fingerprint") == self._fingerprint else None


def has_blocks(folder: Path) -> bool:
    """Return whether finished blocks lie in a folder, for a run that goes on."""
    return any(folder.rglob("block-*.npz"))


def remove_blocks(folder: Path) -> None:
    """Delete the blocks of a run whose result is safe; those of its axes too, where it averaged several."""
    for place in (*folder.glob("axis-*"), folder):
        BlockStore(place, "").remove()
