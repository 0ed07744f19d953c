"""Patches read ahead by threads."""

import threading
import time

import numpy as np
import pytest

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.geometry import Box
from napari_medpatch.infer.feed import Feed, PatchReader, available_cores


def _chunks(count: int, size: int) -> list[np.ndarray]:
    return [np.arange(i, min(i + size, count)) for i in range(0, count, size)]


def _numbers(index: np.ndarray) -> np.ndarray:
    return np.repeat(index[:, None], 3, axis=1)


def _feed_threads() -> int:
    return sum(t.name.startswith("medpatch-feed") for t in threading.enumerate())


@pytest.mark.parametrize(("count", "chunk", "batch"), [(103, 16, 10), (5, 2, 64), (64, 64, 7), (1, 1, 1), (0, 1, 4)])
def test_every_item_comes_once_in_order(count, chunk, batch) -> None:
    feed = Feed(_chunks(count, chunk), _numbers, batch_size=batch, threads=3)
    batches = list(feed)
    feed.close()
    assert [i for b in batches for i in b.index.tolist()] == list(range(count))
    assert all(np.array_equal(b.pixels, _numbers(b.index)) for b in batches)
    assert {len(b.index) for b in batches[:-1]} <= {batch}


def test_batch_size_may_fall_on_the_way() -> None:
    feed = Feed(_chunks(40, 8), _numbers, batch_size=16, threads=2)
    sizes = []
    for batch in feed:
        sizes.append(len(batch.index))
        feed.batch_size = 4
    feed.close()
    assert sizes == [16] + [4] * 6


def test_the_next_batch_loads_while_one_is_used() -> None:
    loaded: list[int] = []

    def load(index: np.ndarray) -> np.ndarray:
        loaded.extend(index.tolist())
        return _numbers(index)

    feed = Feed(_chunks(100, 4), load, batch_size=8, threads=1)
    next(iter(feed))
    deadline = time.monotonic() + 5
    while len(loaded) < 16 and time.monotonic() < deadline:
        time.sleep(0.01)
    feed.close()
    assert 16 <= len(loaded) < 100


def test_close_stops_threads_after_what_they_are_at() -> None:
    loaded: list[int] = []

    def slow(index: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        loaded.extend(index.tolist())
        return _numbers(index)

    feed = Feed(_chunks(1000, 1), slow, batch_size=2, threads=4)
    next(iter(feed))
    feed.close()
    assert len(loaded) < 1000
    assert _feed_threads() == 0


def test_error_while_reading_reaches_the_reader() -> None:
    def broken(index: np.ndarray) -> np.ndarray:
        if 5 in index:
            raise DamagedFileError("tile 5 is broken")
        return _numbers(index)

    feed = Feed(_chunks(10, 1), broken, batch_size=1, threads=2)
    seen = []
    with pytest.raises(DamagedFileError, match="tile 5"):
        seen.extend(batch.index[0] for batch in feed)
    feed.close()
    assert seen == [0, 1, 2, 3, 4]


def test_batches_for_an_accelerator_are_put_together_in_page_locked_memory(monkeypatch) -> None:
    import torch

    asked: list[bool] = []
    empty = torch.empty

    def recorded(*shape, pin_memory: bool = False, **options):
        asked.append(pin_memory)
        return empty(*shape, **options)

    monkeypatch.setattr(torch, "empty", recorded)
    feed = Feed(_chunks(20, 8), _numbers, batch_size=8, threads=2, pinned=True)
    batches = list(feed)
    feed.close()
    assert asked == [True] * len(batches) == [True] * 3
    assert np.array_equal(np.concatenate([b.pixels for b in batches]), _numbers(np.arange(20)))


def _boxes(starts: list[tuple[int, int]], edge: int) -> np.ndarray:
    return np.array([[y, x, y + edge, x + edge] for y, x in starts], np.int64)


@pytest.mark.parametrize("downsample", [1.0, 4.00009, 16.002, 64.012])
def test_common_reads_give_the_pixels_of_single_reads(pyramid, downsample) -> None:
    rng = np.random.default_rng(0)
    levels = () if downsample == 1.0 else (downsample,)
    source = pyramid(rng.integers(0, 256, (2100, 2300, 3), np.uint8), downsamples=levels)
    starts = [(y, x) for y in range(0, 2100, 300) for x in range(0, 2300, 300)]
    reader = PatchReader(source, _boxes(starts, 300), len(levels))
    chunks = reader.chunks()
    assert sorted(np.concatenate(chunks).tolist()) == list(range(len(starts)))
    for chunk in chunks:
        for item, patch in zip(chunk.tolist(), reader.load(chunk), strict=True):
            y, x = (int(np.floor(v / downsample + 0.5)) for v in starts[item])
            box = Box((y, x), (y + reader.shape[0], x + reader.shape[1]))
            assert np.array_equal(patch, source.read(len(levels), box))


def test_neighbours_share_a_read_and_far_patches_do_not(pyramid) -> None:
    source = pyramid(np.zeros((3000, 3000, 3), np.uint8))
    reader = PatchReader(source, _boxes([(0, 0), (0, 100), (100, 0), (100, 100), (2000, 2000)], 100), 0)
    assert [chunk.tolist() for chunk in reader.chunks()] == [[0, 1, 2, 3], [4]]
    reader.load(np.arange(4))
    assert [box for _, box in source.reads] == [Box((0, 0), (200, 200))]


def test_scattered_patches_are_read_one_by_one(pyramid) -> None:
    source = pyramid(np.zeros((3000, 3000, 3), np.uint8))
    reader = PatchReader(source, _boxes([(0, 0), (900, 900)], 100), 0)
    assert reader.load(np.arange(2)).shape == (2, 100, 100, 3)
    assert len(source.reads) == 2


def test_overhang_is_background_or_black(pyramid) -> None:
    source = pyramid(np.full((50, 50, 3), 100, np.uint8))
    boxes = _boxes([(30, 30), (60, 60)], 40)
    usual = PatchReader(source, boxes, 0).load(np.array([0]))[0]
    exact = PatchReader(source, boxes, 0, black_outside=True)
    assert usual[:20, :20].tolist() == np.full((20, 20, 3), 100).tolist()
    assert (usual[20:] == 255).all()
    assert (exact.load(np.array([0]))[0][20:] == 0).all()
    assert (exact.load(np.array([1])) == 0).all()


def test_size_of_a_patch_rounds_once(pyramid) -> None:
    source = pyramid(np.zeros((2000, 2000, 3), np.uint8), downsamples=(4.00009,))
    starts = [(i * 350, 0) for i in range(5)]
    reader = PatchReader(source, _boxes(starts, 350), 1)
    assert reader.shape == (87, 87)
    assert reader.load(np.arange(5)).shape == (5, 87, 87, 3)


def test_there_is_a_core() -> None:
    assert available_cores() >= 1
