"""Overlap, slices and error maps against loops, scikit-learn and SimpleITK, which count in ways of their own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_cases import blobs, evaluated

from napari_medpatch.evaluate.error_map import ERROR_NAMES, error_map
from napari_medpatch.evaluate.segmentation import overlap

SEEDS = st.integers(0, 100_000)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

    prediction, truth = blobs(seed, (4, 9, 8)), blobs(seed + 1, (4, 9, 8))
    result = evaluated(prediction, truth, surface=False, objects=False)
    for each in result.classes:
        p, t = ((mask == each.value).ravel() for mask in (prediction, truth))
        if not p.any() or not t.any():
            continue
        assert each.overlap.dice == pytest.approx(f1_score(t, p))
        assert each.overlap.iou == pytest.approx(jaccard_score(t, p))
        assert each.overlap.sensitivity == pytest.approx(recall_score(t, p))
        assert each.overlap.precision == pytest.approx(precision_score(t, p))
        assert each.overlap.specificity == pytest.approx(recall_score(~t, ~p))


@pytest.mark.parametrize("seed", range(4))
def test_overlap_and_volume_are_those_of_itk(seed: int) -> None:
    import SimpleITK

    spacing = (2.5, 0.8, 0.6)
    prediction, truth = blobs(seed, classes=1), blobs(seed + 9, classes=1)
    images = [SimpleITK.GetImageFromArray(mask) for mask in (prediction, truth)]
    for image in images:
        image.SetSpacing(spacing[::-1])
    measures = SimpleITK.LabelOverlapMeasuresImageFilter()
    measures.Execute(images[0], images[1])
    (found,) = evaluated(prediction, truth, spacing=spacing).class_rows()
    assert found["dice"] == pytest.approx(measures.GetDiceCoefficient())
    assert found["iou"] == pytest.approx(measures.GetJaccardCoefficient())
    for image, name in zip(images, ("predicted_ml", "true_ml"), strict=True):
        shapes = SimpleITK.LabelShapeStatisticsImageFilter()
        shapes.Execute(image)
        assert found[name] == pytest.approx(shapes.GetPhysicalSize(1) / 1000)
    hausdorff = SimpleITK.HausdorffDistanceImageFilter()
    hausdorff.Execute(images[0], images[1])
    # ITK measures between whole masks, which can only be nearer than their borders are.
    assert found["hd_mm"] >= hausdorff.GetHausdorffDistance() - 1e-4


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_slices_are_counted_one_by_one(seed: int) -> None:
    prediction, truth = blobs(seed, (5, 7, 6)), blobs(seed + 1, (5, 7, 6))
    result = evaluated(prediction, truth, surface=False, objects=False)
    rows = {(row["axis"], row["slice"], row["class"]): row for row in result.slice_rows()}
    expected = set()
    for value in (1, 2):
        for axis, name in enumerate("zyx"):
            for index in range(truth.shape[axis]):
                p, t = (np.take(mask == value, index, axis) for mask in (prediction, truth))
                if not p.any() and not t.any():
                    continue
                expected.add((name, index, value))
                row = rows[name, index, value]
                assert (row["predicted_voxels"], row["true_voxels"]) == (p.sum(), t.sum())
                assert row["dice"] == pytest.approx(2 * (p & t).sum() / (p.sum() + t.sum()))
    assert set(rows) == expected


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, value=st.sampled_from((0, 1, 2)), part=st.booleans())
def test_error_maps_are_right_voxel_by_voxel(seed: int, value: int, part: bool) -> None:
    prediction, truth = blobs(seed, (3, 6, 5)), blobs(seed + 1, (3, 6, 5))
    keep = np.random.default_rng(seed).random(truth.shape) < 0.7 if part else None
    if keep is not None:
        keep[0, 0, 0] = True
    found = error_map(prediction, truth, keep, value=value)
    for place in np.ndindex(truth.shape):
        p, t = int(prediction[place]), int(truth[place])
        if keep is not None and not keep[place]:
            p = t = 0
        if value:
            p, t = int(p == value), int(t == value)
        wrong = 0 if p == t else 1 if not t else 2 if not p else 3
        assert found[place] == wrong
    assert len(ERROR_NAMES) == 3


def test_errors_add_up_to_what_the_scores_say() -> None:
    prediction, truth = blobs(3), blobs(4)
    errors = error_map(prediction, truth)
    counts = np.bincount(errors.ravel(), minlength=4)
    found = evaluated(prediction, truth).foreground.overlap
    assert counts[1] == found.predicted - found.both
    assert counts[2] == found.true - found.both
    agreeing = sum(each.overlap.both for each in evaluated(prediction, truth).classes)
    assert counts[3] == found.both - agreeing


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_what_is_left_out_might_as_well_not_be_there(seed: int) -> None:
    prediction, truth = blobs(seed, (4, 7, 6)), blobs(seed + 1, (4, 7, 6))
    keep = np.zeros(truth.shape, bool)
    keep[1:3, 2:6, 1:5] = True
    cut = (slice(1, 3), slice(2, 6), slice(1, 5))
    whole = evaluated(prediction, truth, keep=keep, surface=False, objects=False)
    part = evaluated(prediction[cut], truth[cut], surface=False, objects=False)
    assert [each.overlap for each in whole.classes] == [each.overlap for each in part.classes]
    assert overlap(prediction, truth, keep) == overlap(prediction[cut], truth[cut])


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, swap=st.permutations([0, 1, 2]), flips=st.lists(st.booleans(), min_size=3, max_size=3))
def test_turning_both_masks_changes_no_score(seed: int, swap: list[int], flips: list[bool]) -> None:
    def turned(mask: np.ndarray) -> np.ndarray:
        return mask.transpose(swap)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]

    prediction, truth = blobs(seed, (4, 7, 6)), blobs(seed + 1, (4, 7, 6))
    spacing = (3.0, 1.0, 0.5)
    one = evaluated(prediction, truth, spacing=spacing)
    other = evaluated(turned(prediction), turned(truth), spacing=tuple(spacing[axis] for axis in swap))
    for before, after in zip(one.class_rows(), other.class_rows(), strict=True):
        assert after == pytest.approx(before)


def test_numbers_do_not_overflow_in_a_large_full_mask() -> None:
    full = np.ones((3, 700, 700), np.uint8)
    (found,) = evaluated(full, full, spacing=(10.0, 1.0, 1.0), objects=False, surface=False).class_rows()
    assert found["true_voxels"] == 3 * 700 * 700
    assert found["true_ml"] == pytest.approx(3 * 700 * 700 * 10 / 1000)
    assert found["dice"] == 1.0
