"""Sparse labels: what they say about themselves and what they refuse."""

import numpy as np
import pytest

from napari_medpatch.annotate.sparse import PALETTE, SparseLabels, colour_of, value_counts
from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.io.array_source import ArraySource


def painted(shape: tuple[int, ...] = (4, 6, 8)) -> np.ndarray:
    labels = np.zeros(shape, np.uint8)
    labels[1] = 1
    labels[1, 2:4, 2:4] = 2
    return labels


def test_mask_values_are_label_values_minus_one():
    labels = SparseLabels(painted())
    mask = labels.to_mask()
    assert mask[1, 2, 2] == 1
    assert mask.sum() == 4
    assert mask.dtype == np.uint8


def test_from_mask_labels_the_chosen_slices_of_any_axis():
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[:, 1:3, 1:3] = 1
    labels = SparseLabels.from_mask(mask, {0: [1], 2: [5]}).labels
    np.testing.assert_array_equal(labels[1], mask[1] + 1)
    np.testing.assert_array_equal(labels[:, :, 5], mask[:, :, 5] + 1)
    assert not labels[0, :, :5].any()


def test_from_mask_and_to_mask_are_inverse_where_labelled():
    mask = np.random.default_rng(0).integers(0, 3, (3, 4, 5)).astype(np.uint8)
    labels = SparseLabels.from_mask(mask, [0, 2], ("background", "a", "b"))
    np.testing.assert_array_equal(labels.to_mask()[[0, 2]], mask[[0, 2]])
    assert not labels.to_mask()[1].any()


def test_fractions_name_each_class():
    fractions = SparseLabels(painted(), ("background", "lung")).fractions()
    assert fractions == {"background": pytest.approx(44 / 192), "lung": pytest.approx(4 / 192)}


def test_slices_along_each_axis():
    labels = SparseLabels(painted())
    assert labels.slices(0) == [1]
    assert labels.slices(1) == list(range(6))
    assert labels.slices(1, at_least=0.5) == []


def test_colours_are_told_apart_and_filled_in():
    labels = SparseLabels(painted(), ("background", "a", "b"), ("#111111",))
    assert labels.colours == ("#111111", colour_of(2), colour_of(3))
    assert len({colour_of(value) for value in range(1, 9)}) == len(PALETTE)
    assert colour_of(9) == colour_of(2)


def test_snapshot_is_not_changed_by_painting():
    live = painted()
    snapshot = SparseLabels(live).snapshot()
    live[:] = 1
    assert snapshot.labels[0].sum() == 0


def test_value_counts_of_every_value():
    counts = value_counts(painted())
    assert counts[[0, 1, 2]].tolist() == [144, 44, 4]
    assert counts.sum() == 192


@pytest.mark.parametrize("names", [("background",), ("background", ""), ("a", "a")])
def test_class_names_must_differ(names):
    with pytest.raises(LabelsError, match="two or more different"):
        SparseLabels(painted(), names)


@pytest.mark.parametrize("array", [np.zeros((3, 3), np.int32), np.zeros((2, 2, 2, 2), np.uint8)])
def test_other_arrays_are_refused(array):
    with pytest.raises(LabelsError, match="uint8"):
        SparseLabels(array)


def test_another_shape_is_refused_and_both_are_named():
    source = ArraySource(np.zeros((4, 6, 9), np.int16), "volume", (1, 1, 1))
    with pytest.raises(GeometryError, match=r"4 × 6 × 8.*4 × 6 × 9"):
        SparseLabels(painted()).check(source)


def test_a_slide_takes_a_coarser_raster_of_the_whole():
    source = ArraySource(np.zeros((64, 96, 3), np.uint8), "slide", (0.5, 0.5))
    labels = np.zeros((16, 24), np.uint8)
    labels[:4], labels[8:] = 1, 2
    SparseLabels(labels).check(source)
    with pytest.raises(GeometryError, match="whole slide"):
        SparseLabels(np.zeros((16, 40), np.uint8)).check(source)


def test_nothing_painted_is_refused():
    with pytest.raises(LabelsError, match="Nothing is painted"):
        SparseLabels(np.zeros((4, 4), np.uint8)).check()


@pytest.mark.parametrize(("value", "there", "missing"), [(1, "background", "lung"), (2, "lung", "background")])
def test_one_class_only_is_refused_and_the_missing_one_named(value, there, missing):
    labels = np.zeros((4, 4), np.uint8)
    labels[0] = value
    with pytest.raises(LabelsError, match=f"Only '{there}'.*'{missing}'"):
        SparseLabels(labels, ("background", "lung")).check()


def test_a_value_without_class_is_refused():
    labels = painted()
    labels[0, 0, 0] = 7
    with pytest.raises(LabelsError, match="value 7"):
        SparseLabels(labels).check()
