"""Interpolated and predicted labels: left out of training unless asked for, never scored on."""

from dataclasses import replace

import numpy as np
import pytest

from napari_medpatch.annotate.accept import accept
from napari_medpatch.annotate.origins import PREDICTED
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import LabelsError
from napari_medpatch.events import run
from napari_medpatch.train.fine_tune import FineTuneSettings, fine_tune
from napari_medpatch.train.fine_tune_run import FineTuneRun
from napari_medpatch.train.problem import pose_problem, with_resolution

QUICK = FineTuneSettings(steps=2, device="cpu")


@pytest.fixture
def painted(phantom) -> SparseLabels:
    return SparseLabels.from_mask(phantom[1], [4, 12, 19], ("background", "dark", "bright"))


@pytest.fixture
def misled(painted, phantom) -> SparseLabels:
    """The same with wrong labels accepted in between: the classes are swapped."""
    swapped = np.choose(phantom[1], [1, 3, 2]).astype(np.uint8)
    wrong = np.zeros_like(swapped)
    wrong[6:11], wrong[14:18] = swapped[6:11], swapped[14:18]
    return accept(painted, wrong, PREDICTED)


def test_accepted_labels_change_nothing_by_default(volume, painted, misled):
    plain, with_accepted = (run(fine_tune(volume, labels, settings=QUICK)) for labels in (painted, misled))
    np.testing.assert_array_equal(with_accepted.mask, plain.mask)
    assert with_accepted.metrics == plain.metrics


def test_on_request_the_network_learns_from_them_but_scores_stay(volume, painted, misled):
    plain = run(fine_tune(volume, painted, settings=QUICK))
    taught = run(fine_tune(volume, misled, settings=replace(QUICK, use_accepted=True)))
    assert taught.metrics["dice"] == plain.metrics["dice"]
    assert taught.metrics["loss"] != plain.metrics["loss"]


def test_they_are_learnt_beside_the_paint_and_below_it(volume, painted, misled, finish):
    job = FineTuneRun(volume, painted, None, QUICK, None)
    card = with_resolution(volume, painted, job.card, None)
    problem = finish(pose_problem(volume, painted, card, None, misled.accepted_only()))
    np.testing.assert_array_equal(problem.labels, painted.labels)
    np.testing.assert_array_equal(problem.all_labels, misled.labels)
    assert finish(pose_problem(volume, painted, card, None)).accepted is None


def test_accepted_labels_alone_teach_nothing(volume, misled):
    alone = replace(
        misled, labels=misled.accepted_only().labels, origins=np.minimum(misled.accepted_only().labels, 1) * 3
    )
    for settings in (QUICK, replace(QUICK, use_accepted=True)):
        with pytest.raises(LabelsError, match="painted by hand"):
            run(fine_tune(volume, alone, settings=settings))
