"""Patches filled tile by tile against boxes read one by one."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from napari_medpatch.errors import MedPatchError
from napari_medpatch.geometry import Box
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.many_boxes import ReadsMany, fill_patches
from napari_medpatch.samples.store import sample_path


def test_each_tile_is_asked_for_once_and_the_outside_is_left() -> None:
    whole = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    asked: list[tuple[int, int]] = []

    def tile(row: int, column: int) -> np.ndarray:
        asked.append((row, column))
        return whole[row * 16 : row * 16 + 16, column * 32 : column * 32 + 32]

    starts = [(0, 0), (5, 20), (-8, 60), (45, 65), (200, 0)]
    out = np.full((5, 20, 24, 3), 7, np.uint8)
    fill_patches(out, starts, whole.shape[:2], (16, 32), tile)
    padded = np.pad(whole, [(100, 300), (100, 300), (0, 0)], constant_values=7)
    for patch, (y, x) in zip(out, starts, strict=True):
        assert np.array_equal(patch, padded[y + 100 : y + 120, x + 100 : x + 124])
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_slides_fill_patches_as_they_read_boxes(level: int) -> None:
    with closing(open_source(sample_path("slide"))) as source:
        assert isinstance(source, ReadsMany)
        height, width = source.levels[level].shape
        starts = np.array([(0, 0), (100, 33), (height - 40, width - 90), (-20, 7)], np.int64)
        out = np.full((4, 77, 99, 3), source.background, np.uint8)
        source.read_into(level, starts, out)
        for patch, (y, x) in zip(out, starts.tolist(), strict=True):
            assert np.array_equal(patch, source.read(level, Box((y, x), (y + 77, x + 99))))


def test_a_closed_slide_fills_nothing() -> None:
    source = open_source(sample_path("slide"))
    source.close()
    with pytest.raises(MedPatchError, match="was closed"):
        source.read_into(0, np.zeros((1, 2), np.int64), np.zeros((1, 8, 8, 3), np.uint8))


def test_slides_without_a_pyramid_fill_coarse_patches_too(tmp_path: Path) -> None:
    from napari_medpatch.samples.huge_slide import make_huge_slide

    path = tmp_path / "flat.tif"
    make_huge_slide(path, (6000, 7000), levels=1)
    with closing(open_source(path)) as source:
        level = len(source.levels) - 1
        out = np.zeros((1, 40, 50, 3), np.uint8)
        source.read_into(level, np.array([[3, 4]]), out)
        assert np.array_equal(out[0], source.read(level, Box((3, 4), (43, 54))))
