"""Objects and their partners against a walk from voxel to voxel and a search through all pairs."""

import numpy as np
import pytest
from brute_force import centroid, matched, objects
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mask_cases import blobs, evaluated

from napari_medpatch.evaluate.components import components
from napari_medpatch.evaluate.result import EvaluationResult
from napari_medpatch.steps import finish

SEEDS = st.integers(0, 100_000)
LINE = (1, 1, 40)


def on_a_line(*parts: tuple[int, int]) -> np.ndarray:
    """Objects as parts of a line of voxels: ``(start, stop)``."""
    mask = np.zeros(LINE, np.uint8)
    for start, stop in parts:
        mask[0, 0, start:stop] = 1
    return mask


def counts(result: EvaluationResult) -> tuple[int, int, int]:
    found = result.classes[0].found.detection
    return found.detected, found.missed, found.false_positives


def statuses(result: EvaluationResult) -> list[str]:
    return [each.status for each in result.classes[0].objects]


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, full=st.booleans(), density=st.sampled_from((0.1, 0.3, 0.5)))
def test_pieces_are_those_of_a_walk(seed: int, full: bool, density: float) -> None:
    mask = np.random.default_rng(seed).random((4, 6, 5)) < density
    found = finish(components(mask, full=full))
    pieces = objects(mask, full=full)
    assert found.count == len(pieces)
    own = [{tuple(p) for p in np.argwhere(found.labels == n).tolist()} for n in range(1, found.count + 1)]
    assert sorted(map(sorted, own)) == sorted(map(sorted, pieces))
    for number, piece in enumerate(own, start=1):
        assert found.sizes[number] == len(piece)
        assert tuple(found.centroids[number]) == pytest.approx(centroid(piece))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, full=st.booleans(), least=st.sampled_from((0.0, 0.1, 0.25, 0.5)))
def test_partners_are_those_of_a_search_through_all_pairs(seed: int, full: bool, least: float) -> None:
    prediction, truth = blobs(seed, (5, 9, 8), 1), blobs(seed + 1, (5, 9, 8), 1)
    p, t = objects(prediction, full=full), objects(truth, full=full)
    assume(p and t)
    shares = {len(a & b) / len(a | b) for a in p for b in t if a & b}
    # Of two pairs as good as each other either may come first.
    assume(len(shares) == sum(bool(a & b) for a in p for b in t))
    expected = matched(p, t, least)
    result = evaluated(prediction, truth, connectivity="full" if full else "face", min_iou=least, surface=False)
    assert counts(result) == (len(expected.pairs), len(expected.missed), len(expected.false))
    found = {
        (each.overlap.predicted, each.overlap.true, each.overlap.both)
        for each in result.classes[0].objects
        if each.status == "detected"
    }
    assert found == {(len(p[a]), len(t[b]), len(p[a] & t[b])) for a, b in expected.pairs}


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_every_object_is_told_once(seed: int) -> None:
    prediction, truth = blobs(seed, (6, 9, 8), 1), blobs(seed + 1, (6, 9, 8), 1)
    p, t = objects(prediction), objects(truth)
    assume(p or t)
    found = evaluated(prediction, truth, surface=False).classes[0].objects
    assert sum(each.status in ("detected", "missed") for each in found) == len(t)
    assert sum(each.status in ("detected", "false positive") for each in found) == len(p)
    assert sum(each.overlap.true for each in found) == truth.sum()
    assert sum(each.overlap.predicted for each in found) == prediction.sum()


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ([(0, 10)], [(0, 10)], (1, 0, 0)),
        ([(0, 20)], [(0, 8), (12, 20)], (1, 1, 0)),
        ([(0, 8), (12, 20)], [(0, 20)], (1, 0, 1)),
        ([(0, 30)], [(0, 8), (10, 18), (20, 30)], (1, 2, 0)),
        ([(0, 8), (10, 18), (20, 30)], [(0, 30)], (1, 0, 2)),
        ([(0, 12), (14, 30)], [(0, 6), (8, 22), (24, 30)], (2, 1, 0)),
        ([(0, 5)], [(10, 15)], (0, 1, 1)),
        ([(0, 5), (10, 15)], [(20, 25), (30, 35)], (0, 2, 2)),
        ([(0, 1)], [(0, 40)], (1, 0, 0)),
        ([(5, 15)], [(0, 6), (14, 30)], (1, 1, 0)),
    ],
    ids=["same", "merge", "split", "merge of 3", "split in 3", "both", "apart", "two apart", "tip", "bridge"],
)
def test_merges_and_splits_are_one_detection_and_the_rest_misses_or_inventions(
    predicted: list[tuple[int, int]], true: list[tuple[int, int]], expected: tuple[int, int, int]
) -> None:
    result = evaluated(on_a_line(*predicted), on_a_line(*true))
    assert counts(result) == expected


def test_in_a_merge_the_largest_overlap_keeps_its_partner_and_the_others_say_why() -> None:
    result = evaluated(on_a_line((0, 30)), on_a_line((0, 8), (10, 30)))
    large, small = result.classes[0].objects
    assert (large.status, large.overlap.true, large.overlap.both) == ("detected", 20, 20)
    assert (small.status, small.overlap.true) == ("missed", 8)
    assert "overlaps a predicted object that fits another one better" in small.remark


def test_in_a_split_the_largest_fragment_is_the_detection() -> None:
    result = evaluated(on_a_line((0, 8), (10, 30)), on_a_line((0, 30)))
    detected, invented = result.classes[0].objects
    assert (detected.status, detected.overlap.predicted) == ("detected", 20)
    assert (invented.status, invented.overlap.predicted) == ("false positive", 8)
    assert "overlaps a true object" in invented.remark


def test_an_object_that_touches_nothing_needs_no_remark() -> None:
    result = evaluated(on_a_line((0, 5)), on_a_line((10, 15)))
    assert [each.remark for each in result.classes[0].objects] == ["", ""]


def test_greedy_takes_the_best_pair_first_even_if_two_lesser_ones_would_find_more() -> None:
    """P1 overlaps T1 (IoU 0.6) and T2; P2 overlaps only T1: P2 stays without a partner."""
    result = evaluated(on_a_line((0, 2), (3, 13)), on_a_line((0, 0), (1, 10), (12, 14)))
    true, predicted = objects(on_a_line((1, 10), (12, 14))), objects(on_a_line((0, 2), (3, 13)))
    expected = matched(predicted, true)
    assert counts(result) == (len(expected.pairs), len(expected.missed), len(expected.false)) == (1, 1, 1)


@pytest.mark.parametrize(("least", "expected"), [(0.0, 1), (0.25, 1), (0.26, 0), (0.9, 0)])
def test_the_iou_asked_for_is_met_by_equality(least: float, expected: int) -> None:
    # 4 common voxels of 16.
    result = evaluated(on_a_line((0, 10)), on_a_line((6, 16)), min_iou=least)
    assert counts(result)[0] == expected


@pytest.mark.parametrize(
    ("least_ml", "expected"), [(0.0, (2, 1, 1)), (0.004, (2, 1, 1)), (0.0041, (1, 0, 0)), (1.0, (0, 0, 0))]
)
def test_small_objects_of_either_mask_are_left_out_by_their_own_size(
    least_ml: float, expected: tuple[int, int, int]
) -> None:
    prediction, truth = on_a_line((0, 4), (10, 20), (30, 34)), on_a_line((0, 4), (10, 20), (36, 40))
    result = evaluated(prediction, truth, spacing=(1.0, 1.0, 1.0), min_object=least_ml)
    assert counts(result) == expected


def test_a_large_object_whose_partner_is_too_small_is_missed() -> None:
    result = evaluated(on_a_line((0, 2)), on_a_line((0, 20)), spacing=(1.0, 1.0, 1.0), min_object=0.003)
    assert statuses(result) == ["missed"]


def test_objects_touch_by_corners_in_a_volume_if_asked() -> None:
    mask = np.zeros((2, 2, 2), np.uint8)
    mask[0, 0, 0] = mask[1, 1, 1] = 1
    assert counts(evaluated(mask, mask)) == (2, 0, 0)
    assert counts(evaluated(mask, mask, connectivity="full")) == (1, 0, 0)
    assert (len(objects(mask)), len(objects(mask, full=True))) == (2, 1)


def test_f1_and_its_parts_follow_from_the_counts() -> None:
    result = evaluated(on_a_line((0, 4), (10, 14), (20, 24), (30, 31)), on_a_line((0, 4), (10, 14), (35, 39)))
    found = result.classes[0].found.detection
    assert (found.detected, found.missed, found.false_positives) == (2, 1, 2)
    assert found.sensitivity == pytest.approx(2 / 3)
    assert found.precision == pytest.approx(2 / 4)
    assert found.f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))


def test_without_objects_there_are_no_shares() -> None:
    result = evaluated(on_a_line((0, 4)), np.zeros(LINE, np.uint8))
    found = result.classes[0].found.detection
    assert (found.sensitivity, found.precision, found.f1) == (None, 0.0, 0.0)
