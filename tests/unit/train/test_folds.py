"""What is painted as a whole, and what is held out."""

import numpy as np

from napari_medpatch.train.folds import held_out, make_folds, painted_slices


def slices_at(indices, shape=(20, 16, 16), empty=()):
    labels = np.zeros(shape, np.uint8)
    labels[list(indices)] = 1
    for index in indices:
        if index not in empty:
            labels[index, 4:8, 4:8] = 2
    return labels


def test_painted_slices_of_several_axes():
    labels = slices_at([3, 10])
    labels[:, 5] = 1
    found = {(part.axis, part.start, part.stop) for part in painted_slices(labels)}
    assert found == {(0, 3, 4), (0, 10, 11), (1, 5, 6)}


def test_neighbouring_slices_are_one():
    assert [(p.start, p.stop) for p in painted_slices(slices_at([3, 4, 9]))] == [(3, 5), (9, 10)]


def test_strokes_and_pictures_have_no_painted_slices():
    labels = np.zeros((20, 16, 16), np.uint8)
    labels[3, 2:4, 2:12] = 1
    assert painted_slices(labels) == []
    assert painted_slices(np.ones((8, 8), np.uint8)) == []


def test_each_fold_holds_one_slice_and_keeps_crossing_paint():
    labels = slices_at([3, 10])
    labels[:, 6] = 1
    labels[:, 6, 4:8] = 2
    folds = make_folds(labels, painted_slices(labels), 5)
    assert {(fold.axis, fold.index) for fold in folds} == {(0, 3), (0, 10), (1, 6)}
    first = next(fold for fold in folds if (fold.axis, fold.index) == (0, 3))
    rest = first.rest(labels)
    assert not rest[3, 0].any()
    np.testing.assert_array_equal(rest[3, 6], labels[3, 6])
    np.testing.assert_array_equal(rest[10], labels[10])


def test_empty_slices_are_no_test():
    labels = slices_at([1, 5, 9, 18], empty=(1, 18))
    assert [fold.index for fold in make_folds(labels, painted_slices(labels), 5)] == [5, 9]


def test_the_only_slice_of_a_class_stays():
    labels = slices_at([3, 10])
    labels[10, 12:14, 12:14] = 3
    assert [fold.index for fold in make_folds(labels, painted_slices(labels), 5)] == [3]


def test_many_folds_are_thinned_evenly():
    labels = slices_at(range(0, 20, 2))
    assert [fold.index for fold in make_folds(labels, painted_slices(labels), 4)] == [0, 6, 12, 18]


def test_strokes_are_dealt_to_groups_with_every_class():
    labels = np.zeros((40, 40), np.uint8)
    for row in range(0, 40, 8):
        labels[row, 2:10], labels[row, 20:30] = 1, 2
    folds = make_folds(labels, [], 4)
    assert len(folds) == 4
    assert all(set(np.unique(labels[fold.held])) == {1, 2} for fold in folds)
    np.testing.assert_array_equal(sum(fold.held.astype(int) for fold in folds), labels > 0)


def test_a_single_stroke_per_class_is_not_held_out():
    labels = np.zeros((20, 20), np.uint8)
    labels[2, 2:9], labels[12, 2:9] = 1, 2
    assert make_folds(labels, [], 4) == []


def test_the_held_out_slice_stays_the_same_when_more_is_painted():
    few = slices_at([2, 6, 10, 14])
    chosen = held_out(make_folds(few, painted_slices(few), 9), "ct.nii")
    more = slices_at([2, 6, 10, 14, chosen.index + 2 if chosen.index < 16 else 4])
    folds = [f for f in make_folds(more, painted_slices(more), 9) if f.index in (2, 6, 10, 14)]
    assert held_out(folds, "ct.nii").index == chosen.index
    assert held_out(folds[:3], "ct.nii") is None


def test_the_tips_of_objects_are_not_held_out():
    labels = slices_at([2, 6, 10, 14])
    folds = make_folds(labels, painted_slices(labels), 9)
    assert {held_out(folds, f"{n}.nii").index for n in range(30)} == {6, 10}
