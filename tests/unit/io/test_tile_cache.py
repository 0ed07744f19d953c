"""The tile cache: bounded by bytes, least recently used first, one decode per tile."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_medpatch.errors import MedPatchError
from napari_medpatch.io.tile_cache import CACHE_VARIABLE, TileCache, default_bytes, default_cache, stated_bytes


def tile(value: int = 0, nbytes: int = 100) -> np.ndarray:
    return np.full(nbytes, value, dtype=np.uint8)


def key(n: int, owner: int = 1) -> tuple[int, int, int, int]:
    return owner, 0, 0, n


def test_second_request_is_not_made_again() -> None:
    cache = TileCache(1000)
    first = cache.get(key(0), lambda: tile(7))
    second = cache.get(key(0), lambda: pytest.fail("made twice"))
    assert second is first
    assert (cache.hits, cache.misses) == (1, 1)


def test_the_least_recently_used_goes_first() -> None:
    cache = TileCache(300)
    for n in range(3):
        cache.get(key(n), lambda n=n: tile(n))
    cache.get(key(0), tile)
    cache.get(key(3), lambda: tile(3))
    assert key(1) not in cache
    assert key(0) in cache
    assert cache.nbytes == 300


def test_a_tile_larger_than_the_cache_is_returned_but_not_kept() -> None:
    cache = TileCache(50)
    assert cache.get(key(0), lambda: tile(5)).max() == 5
    assert len(cache) == 0
    assert cache.nbytes == 0


def test_tiles_that_are_not_to_be_kept_are_found_but_not_stored() -> None:
    cache = TileCache(1000)
    cache.get(key(0), tile, keep=False)
    assert key(0) not in cache
    cache.get(key(1), tile)
    assert cache.get(key(1), lambda: pytest.fail("was kept"), keep=False) is not None


def test_tiles_cannot_be_written_to() -> None:
    kept = TileCache(1000).get(key(0), tile)
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1


def test_threads_that_want_the_same_tile_decode_it_once() -> None:
    cache, started, go = TileCache(1000), threading.Event(), threading.Event()
    made: list[int] = []

    def slow() -> np.ndarray:
        made.append(1)
        started.set()
        assert go.wait(5)
        return tile(9)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(cache.get, key(0), slow)
        assert started.wait(5)
        others = [pool.submit(cache.get, key(0), slow) for _ in range(3)]
        go.set()
        assert all(other.result(5) is first.result(5) for other in others)
    assert made == [1]


def test_an_error_reaches_all_that_wait_and_the_next_request_tries_again() -> None:
    cache, started, go = TileCache(1000), threading.Event(), threading.Event()

    def broken() -> np.ndarray:
        started.set()
        assert go.wait(5)
        raise OSError("damaged")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, key(0), broken)
        assert started.wait(5)
        second = pool.submit(cache.get, key(0), broken)
        go.set()
        for future in (first, second):
            with pytest.raises(OSError, match="damaged"):
                future.result(5)
    assert cache.get(key(0), lambda: tile(3)).max() == 3


def test_a_thread_that_waits_makes_the_tile_itself_when_the_other_was_interrupted() -> None:
    cache, started, go = TileCache(1000), threading.Event(), threading.Event()

    def interrupted() -> np.ndarray:
        started.set()
        assert go.wait(5)
        raise KeyboardInterrupt

    def first() -> None:
        with pytest.raises(KeyboardInterrupt):
            cache.get(key(0), interrupted)

    with ThreadPoolExecutor(2) as pool:
        interruption = pool.submit(first)
        assert started.wait(5)
        second = pool.submit(cache.get, key(0), lambda: tile(4))
        go.set()
        interruption.result(5)
        assert second.result(5).max() == 4


def test_discard_forgets_one_owner_only() -> None:
    cache = TileCache(1000)
    cache.get(key(0, owner=1), tile)
    cache.get(key(0, owner=2), tile)
    cache.discard(1)
    assert key(0, owner=1) not in cache
    assert key(0, owner=2) in cache
    assert cache.nbytes == 100


def test_resize_shrinks_at_once_and_clear_empties() -> None:
    cache = TileCache(1000)
    for n in range(5):
        cache.get(key(n), tile)
    cache.resize(250)
    assert (len(cache), cache.nbytes, cache.max_bytes) == (2, 200, 250)
    cache.clear()
    assert (len(cache), cache.nbytes) == (0, 0)


def test_many_threads_never_exceed_the_bound() -> None:
    cache = TileCache(1000)
    seen: list[int] = []

    def work(seed: int) -> None:
        for n in np.random.default_rng(seed).integers(0, 40, 300):
            assert cache.get(key(int(n)), lambda n=n: tile(int(n))).max() == n
            seen.append(cache.nbytes)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert max(seen) <= 1000
    assert cache.nbytes == sum(100 for n in range(40) if key(n) in cache)


def test_the_default_cache_is_shared_and_of_sensible_size() -> None:
    assert default_cache() is default_cache()
    assert 1 << 26 <= default_bytes() <= 512_000_000


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("64", 64_000_000), (" 1.5 ", 1_500_000), ("", None)])
def test_the_environment_states_the_size(monkeypatch: pytest.MonkeyPatch, text: str, size: int | None) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, text)
    assert stated_bytes() == size
    if size is not None:
        assert default_bytes() == size


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_senseless_size_is_a_sentence(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, text)
    with pytest.raises(MedPatchError, match=f"{CACHE_VARIABLE} is '{text}'; give a number of megabytes"):
        default_bytes()
