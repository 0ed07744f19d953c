"""One byte-bounded cache of decoded tiles for the window and the jobs together."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import MedPatchError

Tile: TypeAlias = npt.NDArray[np.uint8]
Key: TypeAlias = tuple[Hashable, ...]

CACHE_VARIABLE = "MEDPATCH_CACHE_MB"
"""Environment variable with the size of the shared cache, for jobs without a window; beats the preference."""

MB = 1_000_000
_USUAL = 512 * MB


class TileCache:
    """Least-recently-used tiles up to a number of bytes; thread-safe.

    Two threads that ask for the same tile at the same time decode it once: the second waits for the first.

    Parameters
    ----------
    max_bytes : int
        Upper bound of the sum of ``nbytes`` of the kept tiles; 0 keeps nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = int(max_bytes)
        self._tiles: OrderedDict[Key, Tile] = OrderedDict()
        self._in_flight: dict[Key, Future[Tile]] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    @property
    def max_bytes(self) -> int:
        """Upper bound in bytes."""
        return self._max_bytes

    @property
    def nbytes(self) -> int:
        """Bytes of the tiles that are kept now."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._tiles)

    def __contains__(self, key: Key) -> bool:
        return key in self._tiles

    def get(self, key: Key, make: Callable[[], Tile], *, keep: bool = True) -> Tile:
        """Return the tile of a key, made by ``make`` if it is not here.

        Parameters
        ----------
        key : tuple
            ``(source token, level, row, column)``; the first item names the owner, see :meth:`discard`.
        make : callable
            Decodes the tile; its errors reach every thread that waits for this tile.
        keep : bool
            Whether to remember a tile that had to be made. Tiles that only serve to compute a coarser one
            are not kept, so that an overview does not empty the cache.

        Returns
        -------
        ndarray
            Read-only.
        """
        while True:
            with self._lock:
                tile = self._tiles.get(key)
                if tile is not None:
                    self._tiles.move_to_end(key)
                    self.hits += 1
                    return tile
                pending = self._in_flight.get(key)
                if pending is None:
                    mine: Future[Tile] = Future()
                    self._in_flight[key] = mine
                    self.misses += 1
                    break
            error = pending.exception()
            if error is None:
                return pending.result()
            if isinstance(error, Exception):
                raise error
            # The other thread was interrupted (Ctrl-C), which says nothing about the tile: make it here.
        return self._make(key, make, mine, keep)

    def _make(self, key: Key, make: Callable[[], Tile], mine: "Future[Tile]", keep: bool) -> Tile:
        try:
            tile = make()
            tile.setflags(write=False)
        except BaseException as error:
            self._done(key)
            mine.set_exception(error)
            raise
        self._done(key, tile if keep else None)
        mine.set_result(tile)
        return tile

    def _done(self, key: Key, tile: Tile | None = None) -> None:
        with self._lock:
            del self._in_flight[key]
            if tile is not None and tile.nbytes <= self._max_bytes:
                self._tiles[key] = tile
                self._bytes += tile.nbytes
                self._shrink()

    def _shrink(self) -> None:
        while self._bytes > self._max_bytes:
            _, oldest = self._tiles.popitem(last=False)
            self._bytes -= oldest.nbytes

    def resize(self, max_bytes: int) -> None:
        """Change the upper bound; the oldest tiles go at once if there are too many."""
        with self._lock:
            self._max_bytes = int(max_bytes)
            self._shrink()

    def discard(self, owner: Hashable) -> None:
        """Forget all tiles whose key begins with ``owner``."""
        with self._lock:
            for key in [key for key in self._tiles if key[0] == owner]:
                self._bytes -= self._tiles.pop(key).nbytes

    def clear(self) -> None:
        """Forget all tiles."""
        with self._lock:
            self._tiles.clear()
            self._bytes = 0


_shared: list[TileCache] = []
_shared_lock = threading.Lock()


def default_cache() -> TileCache:
    """Return the cache that all sources share; change its size with :meth:`TileCache.resize`."""
    with _shared_lock:
        if not _shared:
            _shared.append(TileCache(default_bytes()))
        return _shared[0]


def default_bytes() -> int:
    """Return what the environment states; else 512 MB, or an eighth of this machine's memory if that is less.

    Raises
    ------
    MedPatchError
        If the environment states no sensible number.
    """
    import psutil

    stated = stated_bytes()
    return min(_USUAL, int(psutil.virtual_memory().total) // 8) if stated is None else stated


def stated_bytes() -> int | None:
    """Return the size that the environment variable :data:`CACHE_VARIABLE` asks for, None if it is not set.

    Raises
    ------
    MedPatchError
        If it is not a number of megabytes.
    """
    text = os.environ.get(CACHE_VARIABLE, "").strip()
    if not text:
        return None
    try:
        megabytes = float(text)
    except ValueError:
        megabytes = -1.0
    if not 0 <= megabytes < 1e9:
        raise MedPatchError(f"{CACHE_VARIABLE} is {text!r}; give a number of megabytes such as 512.")
    return int(megabytes * MB)
