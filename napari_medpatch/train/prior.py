"""What is known about unlabelled pixels before any network is trained."""

from collections.abc import Generator
from dataclasses import dataclass

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.patience import patiently
from napari_medpatch.train.choose import Choice, choose_recipe, default_recipe
from napari_medpatch.train.config import Budget
from napari_medpatch.train.estimate import FULL, Evidence, estimate, gather_evidence, with_flows
from napari_medpatch.train.features import FloatArray
from napari_medpatch.train.folds import Fold, held_out, make_folds, painted_slices
from napari_medpatch.train.tally import Tally

_MOST_FOLDS = 4


@dataclass(frozen=True, slots=True)
class Prior:
    """Estimates of every pixel's class.

    Parameters
    ----------
    probabilities : ndarray
        ``(num_classes, *spatial)`` float32 from all paint, painted pixels certain.
    choice : Choice
        How it was made and how well it did.
    fold : Fold or None
        Paint kept from the network until it has been scored.
    without_fold : ndarray or None
        The estimate without that paint.
    """

    probabilities: FloatArray
    choice: Choice
    fold: Fold | None = None
    without_fold: FloatArray | None = None


def make_prior(
    image: FloatArray, detail: FloatArray, labels: LabelArray, *, num_classes: int, name: str, seed: int, budget: Budget
) -> Generator[None, None, Prior]:
    """Estimate every pixel's class, yielding while it takes.

    Parameters
    ----------
    image : ndarray
        ``(C, *spatial)`` float32, 0…1.
    detail : ndarray
        ``(*spatial)`` float32, 0…1 over the intensities around the painted objects.
    labels : ndarray
        Sparse labels on the same grid.
    num_classes : int
        Background included.
    name : str
        Of the image; decides which paint is held out.
    seed : int
        Of the forests.
    budget : Budget
        Flow and held-out scores are given up when they would use too much of it.
    """
    evidence = yield from gather_evidence(image, detail, num_classes, seed)
    slices = painted_slices(labels)
    evidence = yield from _flows_in_time(evidence, labels, budget)
    folds = make_folds(labels, slices, _MOST_FOLDS)
    if slices:
        choice = yield from choose_recipe(evidence, labels, folds if len(slices) > 1 else [], budget)
    else:
        choice = Choice(default_recipe(evidence, slices=False), Tally(num_classes), 0)
    fold = held_out(folds, name) if slices or len(evidence.shape) == 2 else None
    if fold is None or not budget.share_left(0.4):
        return Prior((yield from _apply(evidence, labels, choice)), choice)
    without = yield from _apply(evidence, fold.rest(labels), choice)
    return Prior((yield from _apply(evidence, labels, choice)), choice, fold, without)


def _flows_in_time(evidence: Evidence, labels: LabelArray, budget: Budget) -> Generator[None, None, Evidence]:
    """Measure flows unless that takes more than a fifth of the budget."""
    measuring = with_flows(evidence, painted_slices(labels))
    while budget.share_left(0.2):
        try:
            next(measuring)
        except StopIteration as end:
            result: Evidence = end.value
            return result
        yield
    return evidence


def _apply(evidence: Evidence, labels: LabelArray, choice: Choice) -> Generator[None, None, FloatArray]:
    parts = yield from estimate(evidence, labels, painted_slices(labels), FULL)
    return (yield from patiently(choice.recipe.apply, parts, evidence.detail, labels))
