"""What all slides share: padding, synthetic levels, cache, closing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slide_cases import ArrayTiles, picture, shrunk

from napari_medpatch.errors import DamagedFileError, MedPatchError
from napari_medpatch.geometry import Box, Spacing
from napari_medpatch.io.pyramid import halve
from napari_medpatch.io.source import Source, finest_level_at_least
from napari_medpatch.io.tile_cache import TileCache
from napari_medpatch.io.tiled_source import TiledSource

FINE = picture(331, 403)
COARSE = shrunk(FINE, 82, 100)


def source_of(reader: ArrayTiles, cache: TileCache | None = None) -> TiledSource:
    return TiledSource(
        Path("case.svs"),
        reader,
        format="test",
        spacing=Spacing((0.5, 0.25), "um", "test"),
        metadata={"vendor": "test"},
        cache=cache if cache is not None else TileCache(1 << 24),
    )


@pytest.fixture
def source() -> TiledSource:
    return source_of(ArrayTiles([FINE, COARSE]))


def expected_read(array: np.ndarray, box: Box) -> np.ndarray:
    """Read the slow way: pixel by pixel, background outside."""
    out = np.empty((*box.shape, 3), np.uint8)
    out[...] = ArrayTiles.background
    inside = box.clip(array.shape[:2])
    if inside.size:
        out[inside.shift([-a for a in box.start]).slices] = array[inside.slices]
    return out


def test_it_has_the_protocol_of_a_source(source: TiledSource) -> None:
    assert isinstance(source, Source)
    assert (source.kind, source.axes, source.dtype) == ("slide", "YXC", np.uint8)
    assert source.synthetic == (False, True, False)
    assert source.metadata["associated_images"] == ["label"]


@given(st.integers(-60, 400), st.integers(-60, 480), st.integers(0, 130), st.integers(0, 130), st.integers(0, 2))
def test_any_box_of_any_level_is_the_array_padded(y: int, x: int, height: int, width: int, level: int) -> None:
    source = source_of(ArrayTiles([FINE, COARSE]))
    box = Box((y, x), (y + height, x + width))
    pixels = source.read(level, box)
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, expected_read([FINE, halve(FINE), COARSE][level], box))


def test_synthetic_levels_below_the_coarsest_equal_repeated_halving() -> None:
    fine = picture(1500, 2600)
    source = source_of(ArrayTiles([fine], tile=(128, 200)))
    assert source.synthetic == (False, True, True)
    np.testing.assert_array_equal(source.read(2, Box.whole(source.levels[2].shape)), halve(halve(fine)))


def test_an_overview_does_not_fill_the_cache_with_full_resolution_tiles() -> None:
    cache = TileCache(1 << 24)
    reader = ArrayTiles([picture(1500, 2600)], tile=(128, 200))
    source = source_of(reader, cache)
    source.read(2, Box.whole(source.levels[2].shape))
    assert len(reader.decoded) == len(set(reader.decoded)) == 12 * 13
    assert cache.nbytes <= 1500 * 2600 * 3 * (1 / 4 + 1 / 16) * 1.01


def test_panning_inside_cached_tiles_decodes_nothing(source: TiledSource) -> None:
    reader = ArrayTiles([FINE, COARSE])
    source = source_of(reader)
    source.read(0, Box((0, 0), (200, 200)))
    decoded = len(reader.decoded)
    source.read(0, Box((20, 20), (180, 180)))
    assert len(reader.decoded) == decoded


def test_two_sources_do_not_share_tiles() -> None:
    cache = TileCache(1 << 24)
    one, two = source_of(ArrayTiles([FINE]), cache), source_of(ArrayTiles([255 - FINE]), cache)
    box = Box((0, 0), (40, 40))
    np.testing.assert_array_equal(one.read(0, box), 255 - two.read(0, box))


def test_reads_from_many_threads_agree(source: TiledSource) -> None:
    boxes = [Box((y, x), (y + 90, x + 110)) for y in range(0, 300, 60) for x in range(0, 360, 60)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda box: source.read(0, box), boxes))
    for box, pixels in zip(boxes, results, strict=True):
        np.testing.assert_array_equal(pixels, expected_read(FINE, box))


def test_closed_sources_refuse_to_read_and_let_go_of_their_tiles() -> None:
    cache, reader = TileCache(1 << 24), ArrayTiles([FINE])
    source = source_of(reader, cache)
    label = source.associated()["label"]
    source.read(0, Box((0, 0), (10, 10)))
    source.close()
    source.close()
    assert reader.closed
    assert len(cache) == 0
    with pytest.raises(MedPatchError, match=r"case\.svs was closed"):
        source.read(0, Box((0, 0), (10, 10)))
    with pytest.raises(MedPatchError, match="was closed"):
        label()


def test_close_waits_for_a_running_decode() -> None:
    class Slow(ArrayTiles):
        def tile(self, level: int, row: int, column: int) -> np.ndarray:
            started.set()
            time.sleep(0.2)
            return super().tile(level, row, column)  # asserts that it is not closed

    started = threading.Event()
    source = source_of(Slow([FINE]))
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(source.read, 0, Box((0, 0), (10, 10)))
        assert started.wait(5)
        source.close()
        assert reading.result(5).shape == (10, 10, 3)


def test_the_block_of_a_with_statement_closes(source: TiledSource) -> None:
    with source as opened:
        assert opened.read(0, Box((0, 0), (1, 1))).shape == (1, 1, 3)
    with pytest.raises(MedPatchError):
        source.read(0, Box((0, 0), (1, 1)))


def test_a_damaged_tile_reaches_the_reader_and_leaves_the_others_readable() -> None:
    class Damaged(ArrayTiles):
        def tile(self, level: int, row: int, column: int) -> np.ndarray:
            if (row, column) == (1, 1):
                raise DamagedFileError("case.svs is damaged at rows 32–63.")
            return super().tile(level, row, column)

    source = source_of(Damaged([FINE]))
    with pytest.raises(DamagedFileError, match="rows 32"):
        source.read(0, Box((0, 0), (100, 100)))
    np.testing.assert_array_equal(source.read(0, Box((0, 0), (30, 40))), FINE[:30, :40])


def test_levels_that_do_not_exist_are_refused(source: TiledSource) -> None:
    with pytest.raises(IndexError, match="3 levels"):
        source.read(3, Box((0, 0), (1, 1)))


def test_associated_pictures_are_read_when_called(source: TiledSource) -> None:
    np.testing.assert_array_equal(source.associated()["label"](), COARSE[:5, :7])


@pytest.mark.parametrize(("height", "width"), [(82, 100), (83, 101), (20, 25)])
def test_level_pixels_at_the_far_corner_lie_where_level_0_says(height: int, width: int) -> None:
    """A bright square in the far corner is found within half a level pixel of its level-0 position."""
    fine = np.zeros((331, 403, 3), np.uint8)
    square = Box((300, 370), (324, 394))
    fine[square.slices] = 255
    source = source_of(ArrayTiles([fine, shrunk(fine, height, width)]))
    level = len(source.levels) - 1
    pixels = source.read(level, Box.whole(source.levels[level].shape))[..., 0].astype(float)
    down = source.levels[level].downsample
    for axis in range(2):
        weights = pixels.sum(axis=1 - axis)
        centre = (np.arange(len(weights)) * weights).sum() / weights.sum()
        wanted = (square.start[axis] + square.stop[axis] - 1) / 2
        assert abs((centre + 0.5) * down[axis] - 0.5 - wanted) < 0.5 * down[axis]
    assert [round(n * d) for n, d in zip(source.levels[level].shape, down, strict=True)] == [331, 403]


def test_the_level_for_a_wanted_resolution_may_be_synthetic(source: TiledSource) -> None:
    assert finest_level_at_least(source, 2.5) == 1
    assert finest_level_at_least(source, 1.0) == 0


class Damaged(ArrayTiles):
    """A reader that cannot decode one tile."""

    def tile(self, level: int, row: int, column: int) -> np.ndarray:
        pixels = super().tile(level, row, column)
        if (level, row, column) == (0, 2, 3):
            raise DamagedFileError("case.svs is damaged at level 0.")
        return pixels


def test_a_look_at_a_damaged_tile_shows_background_and_the_rest(tmp_path: Path) -> None:
    (tmp_path / "case.svs").touch()
    reader = Damaged([FINE, COARSE])
    source = TiledSource(
        tmp_path / "case.svs", reader, format="test", spacing=None, metadata={}, cache=TileCache(1 << 24)
    )
    box = Box((0, 0), (200, 200))
    assert source.damage is None
    with pytest.raises(DamagedFileError):
        source.read(0, box)
    pixels = source.peek(0, box)
    assert (pixels[64:96, 144:192] == ArrayTiles.background).all()
    pixels[64:96, 144:192] = FINE[64:96, 144:192]
    np.testing.assert_array_equal(pixels, FINE[:200, :200])
    assert source.damage == "case.svs is damaged at level 0."
    tries = reader.decoded.count((0, 2, 3))
    source.peek(0, box)
    assert reader.decoded.count((0, 2, 3)) == tries


def test_a_tile_of_a_file_that_is_gone_is_tried_again(tmp_path: Path) -> None:
    """A network drive may come back."""
    source = source_of(Damaged([FINE, COARSE]))
    for _ in range(2):
        source.peek(0, Box((64, 144), (96, 192)))
    assert source._reader.decoded.count((0, 2, 3)) == 2  # type: ignore[attr-defined]


def test_a_look_beyond_the_edge_is_padded_as_a_read_is(source: TiledSource) -> None:
    for box in (Box((-9, -7), (40, 50)), Box((300, 390), (340, 420)), Box((900, 900), (910, 905))):
        np.testing.assert_array_equal(source.peek(0, box), source.read(0, box))
    assert source.damage is None
    assert not source.waits_for_overview
    assert list(source.fill_overview()) == []
