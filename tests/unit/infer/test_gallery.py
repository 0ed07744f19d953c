"""The most and least confident patches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_medpatch.errors import GeometryError
from napari_medpatch.events import Finished, PictureRead, Started, run
from napari_medpatch.infer.classify_result import ClassifyResult
from napari_medpatch.infer.gallery import ends, most_and_least, thumbnail, thumbnails, write_gallery
from napari_medpatch.patches.grid import PatchGrid


@pytest.fixture
def result() -> ClassifyResult:
    """Five rows and six columns of patches of 40 pixels; one was not scored."""
    values = np.random.default_rng(0).random((5, 6)).astype(np.float32)
    values[2, 3] = np.nan
    cells = np.argwhere(np.isfinite(values)).astype(np.int64)
    grid = PatchGrid(5, 6, (40, 40), (50, 50), (10, 20), cells)
    both = np.stack([1 - values, values], axis=-1)
    return ClassifyResult(grid, both, ("other", "tumour"), {}, extras={"uncertainty": values[:, ::-1].copy()})


def test_both_ends_come_in_order(result: ClassifyResult) -> None:
    gallery = most_and_least(result, 1, 4)
    known = np.sort(result.probabilities[..., 1][np.isfinite(result.probabilities[..., 1])])
    np.testing.assert_array_equal(gallery.most.values, known[::-1][:4])
    np.testing.assert_array_equal(gallery.least.values, known[:4])
    assert gallery.class_name == "tumour"
    for picks in (gallery.most, gallery.least):
        for cell, value, box in zip(picks.cells, picks.values, picks.boxes, strict=True):
            assert result.probabilities[(*cell, 1)] == value
            start = (10 + 50 * cell[0], 20 + 50 * cell[1])
            assert box.tolist() == [*start, start[0] + 40, start[1] + 40]


def test_extras_rank_too(result: ClassifyResult) -> None:
    gallery = most_and_least(result, 0, 3, "uncertainty")
    assert gallery.by == "uncertainty"
    np.testing.assert_array_equal(gallery.most.values, np.sort(result.extras["uncertainty"].ravel())[-2:-5:-1])


def test_equal_values_keep_the_order_of_reading_and_no_patch_is_shown_twice() -> None:
    most, least = ends(np.full((3, 3), 0.5, np.float32), 3)
    assert most.cells.tolist() == [[0, 0], [0, 1], [0, 2]]
    assert least.cells.tolist() == [[1, 0], [1, 1], [1, 2]]
    values = np.array([[0.1, 0.9, 0.1], [0.9, 0.9, 0.1]], np.float32)
    most, least = ends(values, 2)
    assert most.cells.tolist() == [[0, 1], [1, 0]]
    assert least.cells.tolist() == [[0, 0], [0, 2]]


@pytest.mark.parametrize(("known", "high", "low"), [(0, 0, 0), (1, 1, 0), (5, 3, 2), (24, 10, 10)])
def test_few_patches_are_shared_out(known: int, high: int, low: int) -> None:
    values = np.full(30, np.nan, np.float32)
    values[:known] = np.arange(known)
    most, least = ends(values.reshape(5, 6), 10)
    assert (len(most), len(least)) == (high, low)
    assert most.boxes.shape == (0, 4)


def test_wrong_questions_are_one_sentence(result: ClassifyResult) -> None:
    with pytest.raises(GeometryError, match="no class 2; it has other, tumour"):
        most_and_least(result, 2)
    with pytest.raises(GeometryError, match="no 'attention' to rank patches by; it has probability, uncertainty"):
        most_and_least(result, 0, by="attention")
    with pytest.raises(GeometryError, match="gallery of 0 patches"):
        most_and_least(result, 0, 0)


def test_thumbnails_arrive_one_by_one(pyramid: Any) -> None:
    rgb = np.zeros((400, 400, 3), np.uint8)
    rgb[200:, :, 0], rgb[:, 200:, 1] = 200, 100
    source = pyramid(rgb, downsamples=(2.0, 4.0))
    boxes = np.array([[0, 0, 160, 160], [240, 0, 400, 160], [240, 240, 400, 400]], np.int64)
    job = thumbnails(source, boxes, 80)
    events = [next(job), next(job)]
    assert isinstance(events[0], Started)
    assert events[1].index == 0
    assert len(source.reads) == 1, "the next is not read before it is asked for"
    rest = list(job)
    assert [event.index for event in rest if isinstance(event, PictureRead)] == [1, 2]
    assert isinstance(rest[-1], Finished)
    assert rest[1].pixels.shape == (80, 80, 3)
    assert rest[1].pixels[40, 40].tolist() == [200, 100, 0]
    assert {level for level, _ in source.reads} == {1}, "the coarsest level that is fine enough"


def test_thumbnails_keep_their_proportions(pyramid: Any) -> None:
    source = pyramid(np.zeros((100, 100, 3), np.uint8))
    assert thumbnail(source, (0, 0, 50, 100), 60).shape == (30, 60, 3)


def test_a_gallery_is_written_as_a_picture(result: ClassifyResult, pyramid: Any, tmp_path: Path) -> None:
    from PIL import Image

    rgb = np.random.default_rng(0).integers(0, 256, (300, 350, 3), np.uint8)
    path = write_gallery(result, pyramid(rgb), tmp_path / "gallery.png", n=14)
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[1] > 12 * 96
    best = most_and_least(result, 1, 14).most
    expected = thumbnail(pyramid(rgb), best.boxes[0])
    np.testing.assert_array_equal(pixels[22 : 22 + 96, 6 : 6 + 96], expected)
    empty = ClassifyResult(result.grid, np.full((5, 6, 2), np.nan, np.float32), result.class_names, {})
    with pytest.raises(GeometryError, match="no scored patches"):
        write_gallery(empty, pyramid(rgb), path)


def test_running_the_job_gives_the_number(pyramid: Any) -> None:
    assert run(thumbnails(pyramid(np.zeros((50, 50, 3), np.uint8)), np.array([[0, 0, 9, 9]], np.int64))) == 1
