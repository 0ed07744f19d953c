"""Which mixture of estimates to trust, found by holding out painted slices in turn.

Held-out slices are twice as far from paint as most slices of the final result, which wrongs the carried
labels most: at a painted slice they are right by construction, and their error grows with the gap. So the
forests are scored as they are, the error of the carried labels is taken to grow from nothing at paint to
what was measured at half the held-out gap, and where both have the same error they weigh the same.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.patience import patiently
from napari_medpatch.train.config import Budget
from napari_medpatch.train.estimate import QUICK, Evidence, Parts, estimate
from napari_medpatch.train.features import FloatArray
from napari_medpatch.train.folds import Fold, painted_slices
from napari_medpatch.train.regions import anchor, paint_over, random_walk
from napari_medpatch.train.tally import Tally

_TEXTURE_SHARES = (0.5, 0.0, 1.0)
_CLEAR_GAIN = 0.02


@dataclass(frozen=True, slots=True)
class Recipe:
    """How estimates become one.

    Parameters
    ----------
    texture : float
        Share of the forest without coordinates; the one with them has the rest.
    carry : float or None
        The carried labels weigh ``1 / (1 + carry * gap)`` at that many slices from paint; None leaves them out.
    anchored : bool
        Drop pieces that do not hang together with paint.
    walked : bool
        Settle uncertain voxels by a random walk.
    """

    texture: float
    carry: float | None = None
    anchored: bool = False
    walked: bool = False

    def apply(self, parts: Parts, image: FloatArray, labels: LabelArray) -> FloatArray:
        """Return one estimate ``(num_classes, *spatial)``, painted pixels certain."""
        result = paint_over(self.blend(parts), labels)
        if self.walked:
            result = random_walk(image, result, labels)
        return anchor(result, labels) if self.anchored else result

    def blend(self, parts: Parts) -> FloatArray:
        """Return the weighted mean of the estimates."""
        forest = self.texture * parts.texture + (1 - self.texture) * parts.place
        if self.carry is None or parts.carried is None or parts.gap is None:
            return np.asarray(forest, np.float32)
        weight = 1 / (1 + np.float32(self.carry) * parts.gap)
        return np.asarray(weight * parts.carried + (1 - weight) * forest, np.float32)


@dataclass(frozen=True, slots=True)
class Choice:
    """A recipe and how it did.

    Parameters
    ----------
    recipe : Recipe
        The best one, or a safe one when nothing was held out.
    tally : Tally
        Its overlap with held-out paint.
    folds : int
        How many parts of the paint were held out.
    """

    recipe: Recipe
    tally: Tally
    folds: int


def default_recipe(evidence: Evidence, *, slices: bool) -> Recipe:
    """Return what is safe when nothing can be held out.

    In pictures there may be many objects that nobody painted, so nothing is anchored, and places mean
    little. A random walk helps strokes in a volume, which leave most of it uncertain.
    """
    if len(evidence.shape) == 2:
        return Recipe(1.0)
    return Recipe(0.5, carry=0.15 if evidence.flows else None, anchored=True, walked=not slices)


def choose_recipe(
    evidence: Evidence, labels: LabelArray, folds: Sequence[Fold], budget: Budget
) -> Generator[None, None, Choice]:
    """Hold out each painted slice in turn, scored on every other pixel along each axis.

    Parameters
    ----------
    evidence : Evidence
        Of the image.
    labels : ndarray
        Sparse labels on the working grid, of a volume.
    folds : sequence of Fold
        Slices to hold out.
    budget : Budget
        No further fold is begun when a third of it is used up.
    """
    tallies = {recipe: Tally(evidence.num_classes) for recipe in _forest_recipes()}
    answers: list[tuple[Parts, npt.NDArray[np.integer]]] = []
    for fold in folds:
        if not budget.share_left(0.33):
            break
        answers.append((yield from _hold_out(evidence, labels, fold, tallies)))
    if not answers:
        return Choice(default_recipe(evidence, slices=True), Tally(evidence.num_classes), 0)
    default = next(iter(tallies))
    best = max(tallies, key=lambda recipe: tallies[recipe].iou)
    if tallies[best].iou < tallies[default].iou + _CLEAR_GAIN:
        best = default
    recipe = replace(best, carry=_carry(answers, tallies[best], evidence.num_classes))
    total = Tally(evidence.num_classes)
    for parts, true in answers:
        total.add(recipe.blend(parts).argmax(axis=0), true)
    return Choice(recipe, total, len(answers))


def _forest_recipes() -> Iterator[Recipe]:
    """Yield what is tried; the first is the default."""
    for anchored in (True, False):
        for texture in _TEXTURE_SHARES:
            yield Recipe(texture, anchored=anchored)


def _hold_out(
    evidence: Evidence, labels: LabelArray, fold: Fold, tallies: dict[Recipe, Tally]
) -> Generator[None, None, tuple[Parts, npt.NDArray[np.integer]]]:
    """Score the forests' recipes on a fold; return all estimates and the truth on its pixels."""
    rest = fold.rest(labels)
    starts = [fold.index % 2 if axis == fold.axis else 0 for axis in range(labels.ndim)]
    lattice = tuple(slice(start, None, 2) for start in starts)
    asked, true = fold.held[lattice], labels[lattice][fold.held[lattice]] - 1
    parts = yield from estimate(evidence, rest, painted_slices(rest), QUICK, lattice)
    for recipe, tally in tallies.items():
        mask = yield from patiently(_mask, recipe, parts, evidence.detail[lattice], rest[lattice])
        tally.add(mask[asked], true)
    return parts.at(asked), true


def _mask(recipe: Recipe, parts: Parts, image: FloatArray, labels: LabelArray) -> npt.NDArray[np.intp]:
    return np.asarray(recipe.apply(parts, image, labels).argmax(axis=0))


def _carry(answers: Sequence[tuple[Parts, npt.NDArray[np.integer]]], forest: Tally, num_classes: int) -> float | None:
    """Return the ratio of errors, carried to forest, per slice of gap."""
    carried, gaps = Tally(num_classes), []
    for parts, true in answers:
        if parts.carried is None or parts.gap is None:
            return None
        carried.add(parts.carried.argmax(axis=0), true)
        gaps.append(float(parts.gap.mean()))
    ratio = (1 - carried.iou) / max(1 - forest.iou, 0.02)
    return 2 * ratio / max(1.0, sum(gaps) / len(gaps))
