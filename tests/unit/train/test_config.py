"""Budgets in seconds and in steps."""

import time

import pytest

from napari_medpatch.errors import MedPatchError
from napari_medpatch.train.config import Budget, FineTuneSettings


@pytest.mark.parametrize("options", [{"steps": 0}, {"seconds": 0}, {"seconds": float("nan")}, {"seconds": -1}])
def test_budgets_must_be_positive(options):
    with pytest.raises(MedPatchError, match="positive"):
        FineTuneSettings(**options)


def test_steps_do_not_depend_on_the_clock():
    budget = Budget(0.0001, steps=4)
    budget.start_training()
    budget.keep_back(100)
    time.sleep(0.001)
    assert (budget.unit, budget.total, budget.fraction) == ("steps", 4, 0)
    budget.steps_done = 3
    assert (budget.fraction, budget.done) == (0.75, 3)
    assert budget.share_left(0.01)


def test_time_runs_out():
    budget = Budget(0.05)
    budget.start_training()
    assert budget.unit == "seconds"
    assert budget.fraction < 1
    time.sleep(0.06)
    assert budget.fraction == 1
    assert not budget.share_left(0.9)
    assert budget.done <= budget.total


def test_time_for_prediction_is_kept_but_never_all_of_it():
    budget = Budget(1000)
    budget.start_training()
    budget.keep_back(400)
    before = budget._training_ends
    budget.keep_back(5000)
    assert before == pytest.approx(600)
    assert budget._training_ends == pytest.approx(100, abs=1)
