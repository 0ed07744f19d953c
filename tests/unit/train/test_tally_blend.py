"""Scores on held-out paint, and what is mixed because of them."""

import numpy as np
import pytest

from napari_medpatch.train.blend import Blend, blend_by_base, blend_by_fold, first_blend
from napari_medpatch.train.choose import Choice, Recipe
from napari_medpatch.train.prior import Prior
from napari_medpatch.train.tally import Tally


def maps(mask, sure=0.9):
    return np.stack([np.where(mask == value, sure, 1 - sure) for value in (0, 1)]).astype(np.float32)


def prior_of(mask, iou=None):
    tally = Tally(2)
    if iou is not None:
        tally.both[:], tally.either[:] = round(iou * 100), 100
    return Prior(maps(mask), Choice(Recipe(0.5), tally, 0 if iou is None else 3))


def test_overlap_adds_up_over_looks():
    tally = Tally(3)
    tally.add(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]))
    tally.add(np.array([1]), np.array([1]))
    assert tally.both.tolist() == [2, 1]
    assert tally.either.tolist() == [3, 2]
    assert tally.iou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert tally.metrics(("a", "b"))["dice a"] == pytest.approx(0.8)


def test_classes_that_do_not_occur_have_no_score():
    tally = Tally(3)
    tally.add(np.array([1, 1]), np.array([1, 0]))
    assert tally.iou == 0.5
    assert "dice b" not in tally.metrics(("a", "b"))
    assert Tally(2).dice == 0


def test_the_better_one_wins_on_held_out_paint():
    truth = np.zeros((4, 8), int)
    truth[:, 4:] = 1
    wrong = np.zeros_like(truth)
    labels, held = (truth + 1).astype(np.uint8), np.ones(truth.shape, bool)
    assert blend_by_fold(maps(truth, 0.99), maps(wrong, 0.6), labels, held).network > 0
    blend = blend_by_fold(maps(wrong), maps(truth), labels, held)
    assert blend.network == 0
    assert (blend.tally.iou, blend.network_tally.iou) == (1, 0)


def test_without_a_clear_gain_the_estimate_stands():
    truth = np.eye(6, dtype=int)
    blend = blend_by_fold(maps(truth), maps(truth), (truth + 1).astype(np.uint8), np.ones(truth.shape, bool))
    assert blend.network == 0


def test_a_base_is_trusted_if_it_knows_the_paint():
    truth = np.zeros((4, 8), int)
    truth[:, 4:] = 1
    labels = (truth + 1).astype(np.uint8)
    assert blend_by_base(maps(truth), prior_of(truth, 0.9), labels).network == 0.5
    assert blend_by_base(maps(1 - truth), prior_of(truth, 0.9), labels).network == 0
    assert blend_by_base(maps(1 - truth), prior_of(truth), labels).network == 0


def test_shares_are_weights():
    network, estimate = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    assert Blend(0.25).apply(network, estimate)[0, 0] == 0.25
    assert Blend(0.25).apply(network, None) is network
    assert first_blend(None, 3).network == 1
    assert first_blend(prior_of(np.eye(3, dtype=int)), 3).network == 0
    assert first_blend(prior_of(np.eye(3, dtype=int)), 2).network == 0.5
