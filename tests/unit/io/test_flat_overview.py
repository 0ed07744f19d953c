"""Slides without a pyramid: their overview is computed piece by piece, can be looked at meanwhile, and is exact."""

import itertools
import time
from pathlib import Path

import numpy as np
import pytest
from slide_cases import ArrayTiles, picture

from napari_medpatch.errors import DamagedFileError, MedPatchError
from napari_medpatch.geometry import Box
from napari_medpatch.io import flat_overview, pyramid
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.lazy_level import LazyLevel
from napari_medpatch.io.pyramid import halve
from napari_medpatch.io.tile_cache import TileCache
from napari_medpatch.io.tiled_source import TiledSource
from napari_medpatch.samples.huge_slide import make_huge_slide

PICTURE = picture(2207, 3301)


@pytest.fixture
def reader() -> ArrayTiles:
    return ArrayTiles([PICTURE], tile=(240, 240))


@pytest.fixture
def flat(reader: ArrayTiles, monkeypatch: pytest.MonkeyPatch) -> TiledSource:
    """A slide that counts as large; levels 2 and 3 are kept."""
    monkeypatch.setattr(pyramid, "_QUICK_PIXELS", 1 << 20)
    monkeypatch.setattr(flat_overview, "_KEPT_PIXELS", 1 << 19)
    monkeypatch.setattr(flat_overview, "_BAND_PIXELS", 1 << 16)
    return TiledSource(Path("flat.svs"), reader, format="", spacing=None, metadata={}, cache=TileCache(1 << 24))


def halved(times: int) -> np.ndarray:
    pixels = PICTURE
    for _ in range(times):
        pixels = halve(pixels)
    return pixels


def test_reading_computes_what_is_missing_and_nothing_else(flat: TiledSource, reader: ArrayTiles) -> None:
    assert [level.shape for level in flat.levels] == [(2207, 3301), (1104, 1651), (552, 826)]
    assert flat.waits_for_overview
    box = Box((500, 700), (560, 800))
    pixels = flat.read(2, box)
    np.testing.assert_array_equal(pixels[:52], halved(2)[500:552, 700:800])
    assert (pixels[52:] == ArrayTiles.background).all()
    assert {row for _, row, _ in reader.decoded} == set(range(4, 10))
    seen = len(reader.decoded)
    flat.read(2, box)
    assert len(reader.decoded) == seen
    assert flat.waits_for_overview


def test_every_level_is_the_mean_of_the_finer_one(flat: TiledSource) -> None:
    for level, shape in enumerate(one.shape for one in flat.levels):
        np.testing.assert_array_equal(flat.read(level, Box.whole(shape)), halved(level))


def test_looking_never_waits_and_filling_completes_it(flat: TiledSource, reader: ArrayTiles) -> None:
    whole = Box.whole(flat.levels[2].shape)
    assert (flat.peek(2, whole) == ArrayTiles.background).all()
    assert reader.decoded == []
    steps = list(flat.fill_overview())
    assert steps == [(n, 12) for n in range(1, 13)]
    assert not flat.waits_for_overview
    np.testing.assert_array_equal(flat.peek(2, whole), halved(2))
    assert list(flat.fill_overview()) == []
    assert flat._cache.nbytes == 0  # the tiles it was made of are not kept


def test_filling_can_be_stopped_and_goes_on(flat: TiledSource) -> None:
    filling = flat.fill_overview()
    assert list(itertools.islice(filling, 5))[-1] == (5, 12)
    filling.close()
    assert flat.peek(2, Box((0, 0), (100, 100))).std() > 5
    assert next(flat.fill_overview()) == (6, 12)


def test_a_closed_slide_ends_the_filling(flat: TiledSource) -> None:
    filling = flat.fill_overview()
    next(filling)
    flat.close()
    with pytest.raises(MedPatchError, match="was closed"):
        list(filling)


def test_a_damaged_tile_leaves_a_hole_in_the_overview(flat: TiledSource, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = ArrayTiles.tile

    def tile(self: ArrayTiles, level: int, row: int, column: int) -> np.ndarray:
        if (row, column) == (4, 4):
            raise DamagedFileError("flat.svs is damaged at rows 960–1199.")
        return decode(self, level, row, column)

    monkeypatch.setattr(ArrayTiles, "tile", tile)
    pixels = flat.read(2, Box.whole(flat.levels[2].shape))
    assert (pixels[240:300, 240:300] == ArrayTiles.background).all()
    pixels[240:300, 240:300] = halved(2)[240:300, 240:300]
    np.testing.assert_array_equal(pixels, halved(2))
    assert flat.damage == "flat.svs is damaged at rows 960–1199."


def test_a_lazy_level_may_look_and_another_one_reads(flat: TiledSource) -> None:
    look, read = (LazyLevel(flat, 2, peek=peek) for peek in (True, False))
    assert (look[:50, :50] == ArrayTiles.background).all()
    np.testing.assert_array_equal(read[:50, :50], halved(2)[:50, :50])
    np.testing.assert_array_equal(np.asarray(read), halved(2))


def test_the_array_of_the_coarsest_level_goes_on_filling(flat: TiledSource) -> None:
    """Napari makes it once and keeps it."""
    kept = np.asarray(LazyLevel(flat, 2, peek=True))
    assert (kept == ArrayTiles.background).all()
    list(flat.fill_overview())
    np.testing.assert_array_equal(kept, halved(2))


def test_a_flat_slide_of_gigapixels_opens_at_once_and_each_step_is_short(tmp_path: Path) -> None:
    make_huge_slide(tmp_path / "flat.tif", (80_000, 100_000), levels=1, mpp=1.0)
    with open_source(tmp_path / "flat.tif") as source:
        assert isinstance(source, TiledSource)
        assert "fills in while you look" in source.metadata["notes"][0]
        coarsest = len(source.levels) - 1
        began = time.process_time()
        assert source.peek(coarsest, Box.whole(source.levels[coarsest].shape)).min() == 255
        assert time.process_time() - began < 0.5
        done, total = next(source.fill_overview())
        assert (done, total) == (1, 500)
        # 16 Mpx of glass at the corner; stopping waits for one such step.
        assert time.process_time() - began < 2
        assert source.peek(coarsest, Box((0, 0), (30, 30))).std() > 0
