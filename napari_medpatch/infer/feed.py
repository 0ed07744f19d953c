"""Threads that read patches ahead of the model.

Neighbouring patches are cut from one larger read, because decoding a region and splitting it costs a
fifth of decoding patch by patch where tiles are decoded directly. Threads, not processes: decoders
release the interpreter lock, and nothing has to be pickled.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.infer.allocator import reuse_freed_memory
from napari_medpatch.infer.coarse_level import LevelFilter, level_filter
from napari_medpatch.io.many_boxes import ReadsMany
from napari_medpatch.io.source import Source
from napari_medpatch.patches.grid import REGION_PX

Pixels = npt.NDArray[Any]

_REGION_PATCHES = 256
"""Most patches of a common read, for grids that overlap much."""

_TILES_PX = 2 * REGION_PX
"""Extent of a common read where no region is put together; more patches are resized in one call."""

_MOST_THREADS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Patches for one pass of the model.

    Parameters
    ----------
    index : ndarray
        ``(N,) int64``, which of the feed's items these are.
    pixels : ndarray
        ``(N, Y, X, 3) uint8``, or what the feed's ``prepare`` makes of it.
    """

    index: npt.NDArray[np.int64]
    pixels: Pixels


class Feed:
    """Iterate over batches while threads prepare the next ones.

    Parameters
    ----------
    chunks : sequence of ndarray
        Items to load together, ``(N,) int64`` each, in order.
    load : callable
        Called in a thread with one chunk; returns an array with one row per item.
    batch_size : int
        Items per batch; may be lowered while iterating.
    threads : int
        Readers; 0 takes one per core, 16 at most.
    pinned : bool
        Put batches into page-locked memory, from which an NVIDIA device copies while it computes.
    """

    def __init__(
        self,
        chunks: Sequence[npt.NDArray[np.int64]],
        load: Callable[[npt.NDArray[np.int64]], Pixels],
        *,
        batch_size: int,
        threads: int = 0,
        pinned: bool = False,
    ) -> None:
        self.batch_size = batch_size
        self._pinned = pinned
        self._threads = threads or min(_MOST_THREADS, available_cores())
        self._chunks = deque(chunks)
        self._load = load
        self._ahead: deque[tuple[npt.NDArray[np.int64], Future[Pixels]]] = deque()
        reuse_freed_memory()
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="medpatch-feed")

    def __iter__(self) -> Iterator[Batch]:
        loaded: deque[Batch] = deque()
        while True:
            size, waiting = self.batch_size, sum(len(part.index) for part in loaded)
            while waiting < size and self._submit():
                chunk, future = self._ahead.popleft()
                loaded.append(Batch(chunk, future.result()))
                waiting += len(chunk)
            if not waiting:
                return
            yield self._joined(list(_taken(loaded, size)))

    def close(self) -> None:
        """Drop what was not begun and wait for the reads under way."""
        self._chunks.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    def _submit(self) -> bool:
        """Keep every thread busy and two batches under way; return whether anything is."""
        while self._chunks and self._is_hungry():
            chunk = self._chunks.popleft()
            self._ahead.append((chunk, self._pool.submit(self._load, chunk)))
        return bool(self._ahead)

    def _joined(self, parts: list[Batch]) -> Batch:
        """Copy parts into one batch, unless there is only one and it may lie anywhere."""
        if len(parts) == 1 and not self._pinned:
            return parts[0]
        index = np.concatenate([part.index for part in parts])
        pixels = _room((len(index), *parts[0].pixels.shape[1:]), parts[0].pixels.dtype, pinned=self._pinned)
        np.concatenate([part.pixels for part in parts], out=pixels)
        return Batch(index, pixels)

    def _is_hungry(self) -> bool:
        waiting = sum(len(chunk) for chunk, _ in self._ahead)
        return len(self._ahead) <= self._threads or waiting < 2 * self.batch_size


def _taken(loaded: deque[Batch], size: int) -> Iterator[Batch]:
    """Take ``size`` patches from the left, or all there are."""
    while loaded and size > 0:
        part = loaded.popleft()
        if len(part.index) > size:
            loaded.appendleft(Batch(part.index[size:], part.pixels[size:]))
            part = Batch(part.index[:size], part.pixels[:size])
        size -= len(part.index)
        yield part


def _room(shape: tuple[int, ...], dtype: np.dtype[Any], *, pinned: bool) -> Pixels:
    if not pinned:
        return np.empty(shape, dtype)
    import torch

    tensor = torch.empty(shape, dtype=torch.from_numpy(np.empty(0, dtype)).dtype, pin_memory=True)
    return np.asarray(tensor)


def available_cores() -> int:
    """Return the cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


class PatchReader:
    """Reads patches of one size from one level; thread-safe as far as the source is.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    boxes : ndarray
        ``(N, 4) int64``, ``y0, x0, y1, x1`` in level-0 pixels, all of one size, in the order of visit.
    level : int
        Which level to read.
    black_outside : bool
        Fill what lies outside the image with black, as WSInfer does, not with the source's background.
    target : tuple of int, optional
        ``(y, x)`` to which the patches will be resized; see :mod:`napari_medpatch.infer.coarse_level`.
    """

    def __init__(
        self,
        source: Source,
        boxes: npt.NDArray[np.int64],
        level: int,
        *,
        black_outside: bool = False,
        target: tuple[int, int] | None = None,
    ) -> None:
        downsample = source.levels[level].downsample
        factor = np.asarray(downsample, np.float64)
        self._source = source
        self._level = level
        self._black = black_outside
        exact = boxes[:, :2] / factor
        self._starts = np.floor(exact + 0.5).astype(np.int64)
        whole = boxes[0, 2:] - boxes[0, :2] if len(boxes) else np.ones(2)
        extent = whole / factor
        # One size for all: rounding both corners would make patches differ by a pixel.
        self.shape: tuple[int, int] = (max(1, round(extent[0])), max(1, round(extent[1])))
        self._filter: LevelFilter | None = None
        if target is not None and len(boxes):
            self._filter = level_filter((int(whole[0]), int(whole[1])), downsample, self.shape, target)
        # From centre to centre, because the rounded extent may be half a pixel off too.
        self._shifts = exact - self._starts + (extent - self.shape) / 2

    def chunks(self) -> list[npt.NDArray[np.int64]]:
        """Group consecutive patches that fit one common read."""
        groups: list[list[int]] = []
        # Two pixels for corners that were rounded apart. The limit also bounds how long closing has to wait.
        region = _TILES_PX if isinstance(self._source, ReadsMany) else REGION_PX
        limit = [max(region, n) + 2 for n in self.shape]
        top = left = bottom = right = 0
        for item, (y, x) in enumerate(self._starts.tolist()):
            grown = min(top, y), min(left, x), max(bottom, y + self.shape[0]), max(right, x + self.shape[1])
            fits = grown[2] - grown[0] <= limit[0] and grown[3] - grown[1] <= limit[1]
            if groups and fits and len(groups[-1]) < _REGION_PATCHES:
                groups[-1].append(item)
                top, left, bottom, right = grown
            else:
                groups.append([item])
                top, left, bottom, right = y, x, y + self.shape[0], x + self.shape[1]
        return [np.array(group, np.int64) for group in groups]

    def load(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Read the patches of one chunk, ``(N, Y, X, 3) uint8``."""
        if self._filter is None:
            return self._cut(self._starts[index], self.shape)
        wider = self._cut(self._starts[index] - 1, (self.shape[0] + 2, self.shape[1] + 2))
        shifts = self._shifts[index].tolist()
        return np.stack([self._filter.apply(patch, (y, x)) for patch, (y, x) in zip(wider, shifts, strict=True)])

    def _cut(self, starts: npt.NDArray[np.int64], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Read boxes of one size: tile by tile where the source can, else out of a common region if they are near."""
        patches = np.empty((len(starts), *shape, 3), np.uint8)
        if isinstance(self._source, ReadsMany):
            self._paint_outside(patches, starts)
            self._source.read_into(self._level, starts, patches)
            return patches
        first, last = starts.min(axis=0), starts.max(axis=0) + np.array(shape)
        near = float(np.prod(last - first)) <= 2 * len(starts) * shape[0] * shape[1]
        region = self._read(Box(tuple(first.tolist()), tuple(last.tolist()))) if near else None
        for row, (y, x) in enumerate(starts.tolist()):
            if region is None:
                patches[row] = self._read(Box((y, x), (y + shape[0], x + shape[1])))
            else:
                top, left = y - int(first[0]), x - int(first[1])
                patches[row] = region[top : top + shape[0], left : left + shape[1]]
        return patches

    def _paint_outside(self, patches: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64]) -> None:
        """Fill the patches that reach beyond the level."""
        ends = starts + np.array(patches.shape[1:3])
        beyond = (starts < 0).any(axis=1) | (ends > np.array(self._source.levels[self._level].shape)).any(axis=1)
        patches[beyond] = 0 if self._black else getattr(self._source, "background", 255)

    def _read(self, box: Box) -> npt.NDArray[np.uint8]:
        inside = box.clip(self._source.levels[self._level].shape)
        if not self._black or inside == box:
            return self._source.read(self._level, box)
        filled = np.zeros((*box.shape, 3), np.uint8)
        if inside.size:
            filled[inside.shift([-a for a in box.start]).slices] = self._source.read(self._level, inside)
        return filled
