"""Where labels come from follows from the labels alone, through painting, erasing, undo and redo."""

import numpy as np
import pytest
from round_shapes import fill, painted, stack

from napari_medpatch.annotate.accept import accept, predicted_labels
from napari_medpatch.annotate.label_store import read_label_file, write_label_file
from napari_medpatch.annotate.origins import (
    INTERPOLATED,
    PREDICTED,
    AcceptedLabels,
    AcceptedPart,
    occupied,
    origin_counts,
)
from napari_medpatch.annotate.project import Project
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.io.array_source import ArraySource


@pytest.fixture
def labels() -> SparseLabels:
    return painted(stack(9, 31, lambda _: ((15.0, 15.0), 6.0)), [0, 8])


@pytest.fixture
def filled(labels) -> SparseLabels:
    return accept(labels, fill(labels).labels)


def test_accepting_fills_unlabelled_voxels_only(labels, filled):
    painted_there = labels.labels > 0
    np.testing.assert_array_equal(filled.labels[painted_there], labels.labels[painted_there])
    assert (filled.origins[painted_there] == 1).all()
    assert set(np.unique(filled.origins[1:8])) == {0, INTERPOLATED}
    np.testing.assert_array_equal(filled.origins > 0, filled.labels > 0)
    assert origin_counts(filled.origins)["interpolated"] == (filled.labels[1:8] == 2).sum()
    assert labels.origins is None


def test_accepting_nothing_changes_nothing(labels):
    assert accept(labels, np.zeros_like(labels.labels)) is labels
    with pytest.raises(GeometryError, match="propose again"):
        accept(labels, np.zeros((2, 2, 2), np.uint8))


def test_painted_over_is_painted_and_erased_is_nothing(filled):
    accepted, live = AcceptedLabels.of_saved(filled.labels, filled.origins), filled.labels.copy()
    live[4, 15, 15], live[4, 15, 16] = 1, 0
    origins = accepted.origins(live)
    assert (origins[4, 15, 15], origins[4, 15, 16], origins[4, 15, 14]) == (1, 0, INTERPOLATED)
    np.testing.assert_array_equal(accepted.origins(filled.labels), filled.origins)


def test_what_is_painted_after_undoing_an_acceptance_is_painted(labels, filled):
    accepted, live = AcceptedLabels(), labels.labels.copy()
    accepted.add(AcceptedPart.of(np.where(labels.labels == 0, filled.labels, 0).astype(np.uint8), INTERPOLATED))
    accepted.look(filled.labels)
    assert accepted
    accepted.look(live)
    assert not accepted
    live[4] = filled.labels[4]
    accepted.look(live)
    assert accepted.origins(live) is None
    # Redo brings every voxel back at once, and with them the origin.
    accepted.look(filled.labels)
    np.testing.assert_array_equal(accepted.origins(filled.labels), filled.origins)


def test_predictions_and_interpolations_are_told_apart(filled):
    guess = np.zeros_like(filled.labels)
    guess[3:6, 0:4, 0:4] = 2
    both = accept(filled, guess, PREDICTED)
    assert origin_counts(both.origins)["predicted"] == 48
    assert origin_counts(both.origins)["interpolated"] == origin_counts(filled.origins)["interpolated"]
    np.testing.assert_array_equal(both.painted_only().labels, np.where(both.origins == 1, both.labels, 0))
    np.testing.assert_array_equal(both.accepted_only().labels, np.where(both.origins > 1, both.labels, 0))


def test_a_part_keeps_only_the_box_it_fills():
    array = np.zeros((9, 20, 20), np.uint8)
    array[2:4, 5:9, 1] = 3
    part = AcceptedPart.of(array, PREDICTED, at=(10, 0, 0))
    assert (part.box.start, part.labels.shape) == ((12, 5, 1), (2, 4, 1))
    assert occupied(np.zeros((3, 3), np.uint8)) is None
    assert AcceptedPart.of(np.zeros((3, 3), np.uint8), PREDICTED) is None


def test_origins_survive_saving_and_all_painted_labels_need_none(tmp_path, labels, filled):
    write_label_file(tmp_path / "a.npz", filled)
    np.testing.assert_array_equal(read_label_file(tmp_path / "a.npz").labels.origins, filled.origins)
    write_label_file(tmp_path / "a.npz", labels)
    assert read_label_file(tmp_path / "a.npz").labels.origins is None


def test_a_project_gives_them_back(tmp_path, filled):
    (tmp_path / "ct.nii").write_bytes(b"image")
    source = ArraySource(np.zeros(filled.labels.shape, np.int16), "volume", (1, 1, 1), path=tmp_path / "ct.nii")
    Project.for_source(source).save_labels(filled)
    np.testing.assert_array_equal(Project.for_source(source).latest_labels().labels.origins, filled.origins)


def test_origins_must_fit_the_labels(labels):
    with pytest.raises(LabelsError, match="origins"):
        SparseLabels(labels.labels, origins=np.zeros((2, 2, 2), np.uint8))


def test_a_models_classes_are_found_by_name_then_by_order(labels):
    mask = np.zeros(labels.labels.shape, np.uint8)
    mask[1], mask[2] = 1, 2
    named = SparseLabels(labels.labels, ("background", "heart", "lung"))
    by_name = predicted_labels(mask, ("lung", "liver"), named)
    assert (by_name[1, 0, 0], by_name[2, 0, 0], by_name[0, 0, 0]) == (3, 0, 0)
    by_order = predicted_labels(mask, ("A", "B"), named)
    assert (by_order[1, 0, 0], by_order[2, 0, 0]) == (2, 3)
    with pytest.raises(LabelsError, match=r"A.*heart, lung"):
        predicted_labels(mask, ("A",), named)
    with pytest.raises(GeometryError):
        predicted_labels(mask[:2], ("lung",), named)
