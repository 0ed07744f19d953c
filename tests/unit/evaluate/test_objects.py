"""Connected objects: detected, missed, invented."""

import numpy as np
import pytest
from mask_cases import evaluated, slab

from napari_medpatch.evaluate.matching import match_objects

SHAPE = (12, 40, 40)


def cubes(*corners: tuple[int, int, int], edge: int = 4, value: int = 1) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    for z, y, x in corners:
        mask[z : z + edge, y : y + edge, x : x + edge] = value
    return mask


def test_nodules_are_counted() -> None:
    truth = cubes((0, 0, 0), (0, 20, 20), (6, 30, 5))
    prediction = cubes((0, 0, 1), (6, 30, 5), (6, 5, 30))
    (found,) = evaluated(prediction, truth, spacing=(2.0, 1.0, 1.0)).classes
    counts = found.found.detection
    assert (counts.detected, counts.missed, counts.false_positives) == (2, 1, 1)
    assert counts.sensitivity == counts.precision == counts.f1 == pytest.approx(2 / 3)
    assert [each.status for each in found.objects] == ["detected", "missed", "detected", "false positive"]
    shifted, perfect = (each for each in found.objects if each.status == "detected")
    assert (perfect.overlap.dice, shifted.overlap.dice) == (1.0, 0.75)
    assert (perfect.surface.hd, shifted.surface.hd) == (0.0, 1.0)


def test_centroids_are_voxels_and_world() -> None:
    affine = np.array([[-1.0, 0, 0, 100], [0, -2.0, 0, 50], [0, 0, 3.0, -10], [0, 0, 0, 1]])
    truth = cubes((4, 10, 20))
    (row,) = evaluated(truth, truth, spacing=(3.0, 2.0, 1.0), affine=affine).object_rows()
    assert (row["z"], row["y"], row["x"]) == (5.5, 11.5, 21.5)
    assert (row["R_mm"], row["A_mm"], row["S_mm"]) == (78.5, 27.0, 6.5)
    (row,) = evaluated(truth, truth, spacing=(3.0, 2.0, 1.0)).object_rows()
    assert (row["z_mm"], row["y_mm"], row["x_mm"]) == (16.5, 23.0, 21.5)


def test_corners_connect_only_when_asked() -> None:
    truth = cubes((0, 0, 0), (4, 4, 4))
    assert len(evaluated(truth, truth).classes[0].objects) == 2
    assert len(evaluated(truth, truth, connectivity="full").classes[0].objects) == 1


def test_two_fragments_of_one_object_are_one_detection_and_one_false_positive() -> None:
    truth, prediction = slab(SHAPE, (0, 4), (0, 4), (0, 12)), cubes((0, 0, 0), (0, 0, 8), edge=4)
    objects = evaluated(prediction, truth).classes[0].objects
    assert [each.status for each in objects] == ["detected", "false positive"]
    assert "overlaps a true object" in objects[1].remark


def test_an_overlap_below_the_threshold_is_no_detection() -> None:
    truth, prediction = cubes((0, 0, 0)), cubes((0, 0, 3))
    assert evaluated(prediction, truth).classes[0].objects[0].status == "detected"
    objects = evaluated(prediction, truth, min_iou=0.2).classes[0].objects
    assert [each.status for each in objects] == ["missed", "false positive"]
    assert "too little" in objects[0].remark


def test_a_threshold_that_is_met_exactly_detects() -> None:
    truth, prediction = cubes((0, 0, 0)), cubes((0, 0, 0))
    prediction[:, :, 2:] = 0
    assert evaluated(prediction, truth, min_iou=0.5).classes[0].objects[0].status == "detected"


def test_specks_are_not_counted() -> None:
    prediction = cubes((0, 0, 0), edge=4) | cubes((6, 30, 30), edge=1)
    truth = cubes((0, 0, 0), edge=4)
    result = evaluated(prediction, truth, spacing=(10.0, 10.0, 10.0), min_object=2.0)
    assert [each.status for each in result.classes[0].objects] == ["detected"]
    # The class itself keeps every voxel.
    assert result.classes[0].overlap.predicted == 65


def test_pairs_are_greedy_by_iou_and_one_to_one() -> None:
    sizes = np.array([0, 10, 10])
    pairs, shared = np.array([[1, 1], [1, 2], [2, 1]]), np.array([6, 4, 5])
    found = match_objects(sizes, sizes, pairs, shared)
    assert found.pairs == ((1, 1, 6),)
    assert (found.missed, found.false) == ((2,), (2,))
    assert (found.missed_touching, found.false_touching) == (frozenset({2}), frozenset({2}))


def test_no_objects_when_not_asked() -> None:
    truth = cubes((0, 0, 0))
    result = evaluated(truth, truth, objects=False)
    assert result.object_rows() == []
    assert "objects_detected" not in result.class_rows()[0]


def test_many_specks_are_found_each_in_its_place() -> None:
    truth = np.zeros((6, 30, 30), np.uint8)
    truth[::2, ::2, ::2] = 1
    rows = evaluated(truth, truth, surface=False).object_rows()
    assert len(rows) == 3 * 15 * 15
    assert {(row["z"], row["y"], row["x"]) for row in rows} == {tuple(p) for p in np.argwhere(truth).tolist()}


def test_of_a_great_many_the_largest_are_listed_and_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_medpatch.evaluate.objects.MOST_LISTED", 3)
    truth = np.zeros((1, 30, 30), np.uint8)
    truth[0, ::3, ::3] = 1
    truth[0, 0:2, 0:2] = 1
    prediction = np.roll(truth, 1, 1)
    (found,) = evaluated(prediction, truth).classes
    counts = found.found.detection
    assert counts.detected + counts.missed == counts.detected + counts.false_positives == 100
    assert len(found.objects) == 6
    assert found.objects[0].overlap.true == 4
    assert found.remark == f"{found.found.left_out} small objects are counted but not listed"
    assert found.found.left_out == counts.detected + 2 * counts.missed - 6
