"""A level as an array: NumPy's basic indexing, read lazily."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slide_cases import ArrayTiles, picture

from napari_medpatch.geometry import Box
from napari_medpatch.io import lazy_level
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.lazy_level import LazyLevel
from napari_medpatch.io.tile_cache import TileCache
from napari_medpatch.io.tiled_source import TiledSource

ARRAY = picture(70, 90)


def lazy(array: np.ndarray = ARRAY) -> LazyLevel:
    source = TiledSource(
        Path("a.svs"), ArrayTiles([array]), format="", spacing=None, metadata={}, cache=TileCache(1 << 24)
    )
    return LazyLevel(source, 0)


def slices(length: int) -> st.SearchStrategy[slice]:
    edge = st.none() | st.integers(-2 * length, 2 * length)
    step = st.none() | st.integers(-7, 7).filter(bool)
    return st.builds(slice, edge, edge, step)


def index(length: int) -> st.SearchStrategy[Any]:
    whole = st.integers(-length, length - 1)
    return slices(length) | whole | whole.map(np.int64) | slices(length).map(numpy_bounds)


def numpy_bounds(s: slice) -> slice:
    """What napari passes: bounds as NumPy integers."""
    return slice(*(None if v is None else np.int64(v) for v in (s.start, s.stop, s.step)))


@given(st.tuples(index(70), index(90), index(3)))
def test_indexing_is_numpys(key: tuple[Any, ...]) -> None:
    result = lazy()[key]
    np.testing.assert_array_equal(result, ARRAY[key])
    assert np.asarray(result).flags.c_contiguous


@pytest.mark.parametrize(
    "key",
    [
        ...,
        (),
        5,
        (slice(3, 9),),
        (..., 0),
        (slice(None), ..., 1),
        (4, ...),
        (1, 2, ..., 0),
        (np.int16(-1), slice(None, None, -3)),
        (slice(60, 500), slice(-500, 20)),
        (slice(80, 500), slice(None)),
    ],
)
def test_short_tuples_ellipses_and_ranges_outside(key: Any) -> None:
    result = lazy()[key]
    np.testing.assert_array_equal(result, ARRAY[key])
    assert np.shape(result) == np.shape(ARRAY[key])


@pytest.mark.parametrize("key", [70, -71, (0, 90), (0, 0, 3), (0, 0, 0, 0), (..., ...)])
def test_impossible_indices_raise_index_errors(key: Any) -> None:
    with pytest.raises(IndexError):
        lazy()[key]


@pytest.mark.parametrize("key", [1.5, "a", [1, 2], None])
def test_other_indices_raise_type_errors(key: Any) -> None:
    with pytest.raises(TypeError):
        lazy()[key]


def test_iteration_ends() -> None:
    assert len(list(lazy(ARRAY[:5]))) == 5


def test_it_looks_like_an_array() -> None:
    level = lazy()
    assert (level.shape, level.ndim, level.size, level.dtype) == ((70, 90, 3), 3, 70 * 90 * 3, np.uint8)
    assert level.nbytes == level.size
    assert level.chunks == (32, 48, 3)
    assert len(level) == 70
    assert repr(level) == "LazyLevel('a.svs', level=0, shape=(70, 90, 3))"
    assert level.level == 0
    assert level.source.path == Path("a.svs")


def test_array_conversion() -> None:
    np.testing.assert_array_equal(np.asarray(lazy()), ARRAY)
    assert np.asarray(lazy(), dtype=np.float32).dtype == np.float32
    assert np.array(lazy(), copy=True).flags.writeable
    with pytest.raises(ValueError, match="without a copy"):
        np.array(lazy(), copy=False)


def test_only_the_tiles_under_an_index_are_decoded() -> None:
    level = lazy()
    level[10:20, 50:60]
    assert level.source._reader.decoded == [(0, 0, 1)]  # type: ignore[attr-defined]


def test_wide_steps_are_read_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_level, "_BAND_PIXELS", 1000)
    level, boxes = lazy(), []
    read = level.source.read

    def counted(index: int, box: Box) -> np.ndarray:
        boxes.append(box)
        return read(index, box)

    monkeypatch.setattr(level.source, "read", counted)
    for key in (slice(None, None, 3), slice(65, None, -4), slice(1, 66, 5)):
        boxes.clear()
        np.testing.assert_array_equal(level[key], ARRAY[key])
        assert len(boxes) > 3
        assert max(box.size for box in boxes) <= 1000


def test_photographs_have_levels_too() -> None:
    level = LazyLevel(ArraySource(ARRAY, "photo"), 0)
    np.testing.assert_array_equal(level[5:9, ::2], ARRAY[5:9, ::2])
    assert level.chunks == (70, 90, 3)
