"""The image moves the border where it shows one, and nothing else."""

import threading

import numpy as np
import pytest
from round_shapes import disc, fill, overlap, painted, stack

from napari_medpatch.annotate.interpolate import InterpolateSettings, interpolate
from napari_medpatch.annotate.walker_slab import band_width
from napari_medpatch.events import Finished, Started, Working
from napari_medpatch.io.array_source import ArraySource


def bulge(index):
    """A tube that is much wider half-way, which two painted ends cannot know."""
    return (25.0, 25.0), 8 + 5 * np.sin(np.pi * index / 10)


@pytest.fixture
def truth():
    return stack(11, 51, bulge)


def hu_of(truth, noise=20.0):
    values = np.where(truth > 0, 60.0, -80.0) + np.random.default_rng(0).normal(0, noise, truth.shape)
    return values.astype(np.int16)


@pytest.mark.parametrize("axis", [0, 2])
def test_a_bulge_that_the_image_shows_is_found(truth, axis):
    turned = np.moveaxis(truth, 0, axis)
    labels, between = painted(turned, [0, 10], axis), (slice(None),) * axis + (slice(1, 10),)
    hu = np.ascontiguousarray(hu_of(turned))
    by_shape = overlap(fill(labels, hu, axis=axis).labels[between] == 2, turned[between])
    by_image = overlap(fill(labels, hu, axis=axis, method="walker", band_mm=6).labels[between] == 2, turned[between])
    assert by_shape < 0.6
    assert by_image > 0.9


def test_without_contrast_the_shape_stands(truth):
    labels = painted(truth, [0, 10])
    flat = np.full(truth.shape, 40, np.int16)
    np.testing.assert_array_equal(fill(labels, flat, method="walker").labels, fill(labels).labels)
    noise = np.random.default_rng(1).normal(0, 20, truth.shape).astype(np.int16)
    assert overlap(fill(labels, noise, method="walker").labels == 2, fill(labels).labels == 2) > 0.9


def test_the_border_moves_no_further_than_the_band(truth):
    labels = painted(truth, [0, 10])
    found = fill(labels, hu_of(truth), method="walker", band_mm=2.0).labels[5] == 2
    assert not found[~disc((51, 51), (25, 25), 11)].any()


def test_strokes_between_the_slices_are_seeds_and_are_never_changed(truth):
    labels = painted(truth, [0, 10])
    labels.labels[5, 23:28, 14:16] = 1
    before = labels.labels.copy()
    without = fill(painted(truth, [0, 10]), hu_of(truth), method="walker", band_mm=6).labels
    found = fill(labels, hu_of(truth), method="walker", band_mm=6).labels
    np.testing.assert_array_equal(labels.labels, before)
    assert not found[before > 0].any()
    assert (without[5, 24:27, 14:16] == 2).all()
    assert (found[5, 24:27, 13:18] == 2).sum() < (without[5, 24:27, 13:18] == 2).sum()


def test_large_slabs_are_solved_tile_by_tile(truth, monkeypatch):
    labels, hu = painted(truth, [0, 10]), hu_of(truth)
    whole = fill(labels, hu, method="walker").labels
    monkeypatch.setattr("napari_medpatch.annotate.walker_slab._VOXELS", 1000)
    tiled = fill(labels, hu, method="walker").labels
    assert overlap(tiled == 2, whole == 2) > 0.99


def test_thin_parts_keep_seeds_and_do_not_vanish():
    truth = stack(7, 41, lambda _: ((20.0, 20.0), 2.0))
    found = fill(painted(truth, [0, 6]), hu_of(truth), method="walker", band_mm=10.0).labels
    assert ((found[1:6] == 2).sum(axis=(1, 2)) >= truth[0].sum() - 2).all()


def test_several_classes_follow_the_image_at_once():
    truth = np.zeros((7, 40, 40), np.uint8)
    for index in range(7):
        # The border between the two goes there and back again.
        middle = 16 + 6 * (index in (2, 3, 4))
        truth[index, 8:32, 6:middle], truth[index, 8:32, middle:34] = 1, 2
    hu = (np.choose(truth, [-500, 0, 300]) + np.random.default_rng(0).normal(0, 30, truth.shape)).astype(np.int16)
    labels = painted(truth, [0, 6])
    by_shape, by_image = fill(labels, hu).labels[3], fill(labels, hu, method="walker", band_mm=8).labels[3]
    wanted = truth[3] + (truth[3] > 0)
    assert (by_image != wanted).sum() < 0.5 * (by_shape != wanted).sum()


def test_the_same_labels_and_image_give_the_same_proposal(truth):
    labels, hu = painted(truth, [0, 10]), hu_of(truth)
    first, second = (fill(labels, hu, method="walker").labels for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_progress_counts_slices(truth):
    source = ArraySource(hu_of(truth), "volume", (1, 1, 1))
    events = list(interpolate(source, painted(truth, [0, 10]), InterpolateSettings(method="walker")))
    started = next(event for event in events if isinstance(event, Started))
    assert (started.total, started.unit) == (11, "slices")
    assert [event.done for event in events if isinstance(event, Working)][-1] == 11


def test_a_closed_job_does_not_wait_for_the_walker(truth, monkeypatch):
    begun, gate, ended = threading.Event(), threading.Event(), []

    def walk_long(slab, window):
        begun.set()
        ended.append(gate.wait(20))
        return slab.labels

    monkeypatch.setattr("napari_medpatch.annotate.fill_planes.walk", walk_long)
    source = ArraySource(hu_of(truth), "volume", (1, 1, 1))
    job = interpolate(source, painted(truth, [0, 10]), InterpolateSettings(method="walker"))
    while not begun.is_set():
        assert not isinstance(next(job), Finished)
    job.close()
    assert ended == []
    gate.set()


def test_the_band_grows_with_the_way_to_the_painted_slices():
    widths = [band_width(slices, 2.5) for slices in (1, 4, 8, 40)]
    assert widths == [4.0, 5.0, 10.0, 20.0]
