"""The evaluation of whole masks: classes, slices, what is left out, units, stopping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_cases import ball, blobs, evaluated, slab

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.evaluate.error_map import error_map
from napari_medpatch.evaluate.evaluation import evaluate_masks
from napari_medpatch.evaluate.segmentation import overlap
from napari_medpatch.events import Finished, Started, Working


def test_events_count_up_to_the_result() -> None:
    events = list(evaluate_masks(blobs(1), blobs(2), spacing=(1, 1, 1)))
    (started,) = (event for event in events if isinstance(event, Started))
    done = [event.done for event in events if isinstance(event, Working)]
    assert started.total == 3
    assert done == sorted(done)
    assert done[-1] == pytest.approx(3)
    assert isinstance(events[-1], Finished)


def test_classes_of_either_mask_are_scored_as_by_counting() -> None:
    prediction, truth = blobs(3, classes=3), blobs(4, classes=2)
    result = evaluated(prediction, truth, spacing=(1, 1, 1), class_names=("a", "b"))
    expected = overlap(prediction, truth)
    assert [each.value for each in result.classes] == sorted(expected) == [1, 2, 3]
    for each in result.classes:
        assert each.overlap.scores() == {key: expected[each.value][key] for key in each.overlap.scores()}
        assert each.overlap.predicted == expected[each.value]["predicted"]
    assert [each.name for each in result.classes] == ["a", "b", ""]
    assert result.classes[2].remark == "not in the truth"
    assert result.foreground.overlap.dice == overlap(prediction > 0, truth > 0)[1]["dice"]


def test_sizes_are_millilitres_in_volumes_and_square_millimetres_on_slides() -> None:
    truth = slab((10, 20, 20), (0, 10), (0, 10), (0, 10))
    (row,) = evaluated(truth[:, ::-1], truth, spacing=(2.0, 0.5, 1.0)).class_rows()
    assert (row["true_ml"], row["true_voxels"], row["difference_ml"]) == (1.0, 1000, 0.0)
    (row,) = evaluated(truth[0], truth[0], spacing=(100, 100), unit="um").class_rows()
    assert row["true_mm2"] == pytest.approx(1.0)
    assert "hd95_um" in row
    (row,) = evaluated(truth[0], truth[0]).class_rows()
    assert row["true_px"] == 100
    assert "hd95_px" in row


def test_difference_is_prediction_minus_truth() -> None:
    truth, prediction = slab((4, 4, 10), (0, 4), (0, 4), (0, 5)), slab((4, 4, 10), (0, 4), (0, 4), (0, 6))
    row = evaluated(prediction, truth, spacing=(10, 10, 10)).class_rows()[0]
    assert row["difference_ml"] == pytest.approx(16.0)
    assert row["difference_percent"] == pytest.approx(20.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_along_each_axis(axis: int) -> None:
    prediction, truth = blobs(5), blobs(6)
    result = evaluated(prediction, truth, spacing=(1, 1, 1))
    for value in (1, 2):
        dice = result.curve(value, axis)
        assert len(dice) == truth.shape[axis]
        for index, found in enumerate(dice):
            p, t = (np.take(mask, index, axis) == value for mask in (prediction, truth))
            expected = 2 * (p & t).sum() / (p.sum() + t.sum()) if (p | t).any() else np.nan
            assert found == pytest.approx(expected, nan_ok=True)


def test_rows_of_slices_leave_empty_slices_out() -> None:
    truth = slab((6, 4, 4), (2, 4), (0, 4), (0, 4))
    rows = [row for row in evaluated(truth, truth).slice_rows() if row["axis"] == "z"]
    assert [(row["slice"], row["dice"], row["true_voxels"]) for row in rows] == [(2, 1.0, 16), (3, 1.0, 16)]


def test_pictures_have_two_axes() -> None:
    truth = slab((8, 12), (2, 6), (3, 9))
    result = evaluated(truth, truth, spacing=(2.0, 2.0), unit="um")
    assert {row["axis"] for row in result.slice_rows()} == {"y", "x"}
    assert len(result.curve(1, 0)) == 8
    assert result.object_rows()[0]["y"] == 3.5
    assert result.object_rows()[0]["x_um"] == 11.0


def test_what_is_left_out_counts_nowhere() -> None:
    truth, prediction = slab((6, 8, 8), (1, 5), (1, 7), (1, 7)), slab((6, 8, 8), (1, 5), (1, 7), (1, 4))
    keep = np.ones(truth.shape, bool)
    keep[:, :, 4:] = False
    result = evaluated(prediction, truth, spacing=(1, 1, 1), keep=keep)
    (found,) = result.classes
    assert found.overlap.dice == 1.0
    assert (found.surface.hd, found.surface.surface_dice) == (0.0, 1.0)
    assert result.compared == keep.sum()
    assert found.objects[0].surface.hd == 0.0


def test_a_smaller_prediction_beside_left_out_voxels_still_has_its_distance() -> None:
    truth, prediction = slab((3, 3, 12), (0, 3), (0, 3), (0, 8)), slab((3, 3, 12), (0, 3), (0, 3), (0, 5))
    keep = np.ones(truth.shape, bool)
    keep[:, :, 10:] = False
    assert evaluated(prediction, truth, spacing=(1, 1, 1), keep=keep).classes[0].surface.hd == 3.0


@pytest.mark.parametrize("dtype", [bool, np.int32, np.int64, np.uint16])
def test_masks_of_any_whole_type(dtype: type) -> None:
    mask = ball((9, 9, 9), (4, 4, 4), 3)
    assert evaluated(mask.astype(dtype), mask).classes[0].overlap.dice == 1.0


def test_two_empty_masks_have_no_classes() -> None:
    empty = np.zeros((3, 4, 5), np.uint8)
    result = evaluated(empty, empty, spacing=(1, 1, 1))
    assert result.classes == ()
    assert result.to_json()["dice"] is None
    assert result.class_rows() == result.object_rows() == result.slice_rows() == []


@pytest.mark.parametrize(
    ("prediction", "truth", "error", "words"),
    [
        (np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8), GeometryError, "3 × 4.*4 × 3"),
        (np.zeros(3, np.uint8), np.zeros(3, np.uint8), GeometryError, "2 or 3"),
        (np.full((3, 3), 300), np.zeros((3, 3), np.uint8), LabelsError, "300"),
        (np.full((3, 3), 0.5), np.zeros((3, 3), np.uint8), LabelsError, "float64"),
        (np.full((3, 3), -1), np.zeros((3, 3), np.uint8), LabelsError, "-1"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    prediction: np.ndarray, truth: np.ndarray, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        evaluated(prediction, truth)


def test_spacing_must_fit_and_something_must_be_left() -> None:
    mask = np.ones((3, 3, 3), np.uint8)
    with pytest.raises(GeometryError, match="3 pixel sizes"):
        evaluated(mask, mask, spacing=(1, 1))
    with pytest.raises(GeometryError, match="not positive"):
        evaluated(mask, mask, spacing=(1, 0, 1))
    with pytest.raises(LabelsError, match="left to compare"):
        evaluated(mask, mask, keep=np.zeros(mask.shape, bool))


def test_the_job_can_be_closed_at_any_event() -> None:
    for wanted in range(0, 40, 5):
        job = evaluate_masks(blobs(7), blobs(8), spacing=(1, 1, 1))
        for _ in range(wanted):
            next(job)
        job.close()  # type: ignore[attr-defined]
        assert list(job) == []


def test_every_slice_is_a_moment_to_stop() -> None:
    truth = ball((60, 80, 80), (30, 40, 40), 25)
    prediction = np.roll(truth, (1, 3, -2), (0, 1, 2))
    events = list(evaluate_masks(prediction, truth, spacing=(1.5, 0.7, 0.7)))
    assert sum(isinstance(event, Working) for event in events) > 5 * 50
    greatest = np.sqrt(1.5**2 + 2.1**2 + 1.4**2)
    assert events[-1].result.classes[0].surface.hd == pytest.approx(greatest, rel=0.1)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_swapping_masks_swaps_sensitivity_and_precision(seed: int) -> None:
    a, b = blobs(seed, (5, 8, 7)), blobs(seed + 1, (5, 8, 7))
    one, other = evaluated(a, b), evaluated(b, a)
    for x, y in zip(one.classes, other.classes, strict=True):
        assert x.overlap.dice == y.overlap.dice
        assert x.overlap.sensitivity == y.overlap.precision
        counts, swapped = x.found.detection, y.found.detection
        assert counts.detected == swapped.detected
        assert (counts.missed, counts.false_positives) == (swapped.false_positives, swapped.missed)


def test_error_map_says_what_is_wrong() -> None:
    truth, prediction = np.array([[1, 1, 2, 0, 0]], np.uint8), np.array([[1, 0, 1, 2, 0]], np.uint8)
    assert error_map(prediction, truth).tolist() == [[0, 2, 3, 1, 0]]
    assert error_map(prediction, truth, value=1).tolist() == [[0, 2, 1, 0, 0]]
    assert error_map(prediction, truth, value=2).tolist() == [[0, 0, 2, 1, 0]]
    keep = np.array([[True, False, True, False, True]])
    assert error_map(prediction, truth, keep).tolist() == [[0, 0, 3, 0, 0]]
