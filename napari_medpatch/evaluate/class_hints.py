"""Whether two masks number their classes alike, told by which classes lie on which.

Classes are compared by value. Masks of different detail (both lungs as one class, or each by itself) or of other
numbers then get scores that say little about the masks, so the user is told.
"""

import re
from collections.abc import Generator, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.class_map import ClassMap
from napari_medpatch.evaluate.masks import MaskPair
from napari_medpatch.evaluate.pieces import pieces_of
from napari_medpatch.geometry import Box

_VALUES = 256
_MOST_OF = 0.5
_BETTER_BY = 0.3

_OPTION = re.compile(r"--map-(prediction|truth) (\d+=\d+(?:,\d+=\d+)*)")

Pairs = npt.NDArray[np.int64]


def count_pairs(masks: MaskPair, box: Box) -> Generator[float, None, Pairs]:
    """Count how often which class lies on which; yields the share that is done.

    Parameters
    ----------
    masks : MaskPair
        Prediction and truth.
    box : Box
        Where either has a class.

    Returns
    -------
    ndarray
        (256, 256) int64, by value in the prediction and in the truth; voxels outside the box are not counted.
    """
    counts = np.zeros(_VALUES * _VALUES, np.int64)
    pieces = list(zip(*(pieces_of(mask[box.slices]) for mask in (masks.predicted, masks.true)), strict=True))
    for done, ((_, _, p), (_, _, t)) in enumerate(pieces, start=1):
        some = (p > 0) | (t > 0)
        counts += np.bincount(p[some].astype(np.intp) * _VALUES + t[some], minlength=counts.size)
        yield done / len(pieces)
    return counts.reshape(_VALUES, _VALUES)


def class_hints(pairs: Pairs, names: Sequence[str] = ()) -> list[str]:
    """Return a sentence for each reason to think that two masks number their classes differently.

    Parameters
    ----------
    pairs : ndarray
        As :func:`count_pairs` returns them.
    names : sequence of str
        Of values 1, 2, ….
    """
    predicted, true = pairs.sum(axis=1), pairs.sum(axis=0)
    of_prediction, of_truth = (set((np.flatnonzero(each[1:]) + 1).tolist()) for each in (predicted, true))
    hints = [*_undivided(pairs, of_prediction, of_truth, ("prediction", "truth"), names)]
    hints += _undivided(pairs.T, of_truth, of_prediction, ("truth", "prediction"), names)
    return hints + list(_swapped(pairs, sorted(of_prediction & of_truth)))


def suggested(notes: Sequence[str]) -> tuple[ClassMap, ClassMap] | None:
    """Return what the first hint among notes would have the classes of prediction and truth count as.

    The first alone: where numbers differ, one hint would change them in the prediction and the next in the truth.
    """
    for found in filter(None, map(_OPTION.search, notes)):
        side, pairs = found.groups()
        given, nothing = ClassMap.parse(pairs), ClassMap()
        return (given, nothing) if side == "prediction" else (nothing, given)
    return None


def in_words(note: str) -> str:
    """Return a sentence for people who are not at a command line: what its option does instead of the option."""

    def done(found: re.Match[str]) -> str:
        first, *others = (pair.split("=") for pair in found[2].split(","))
        rest = "".join(f" and class {old} as {new}" for old, new in others)
        return f"class {first[0]} of the {found[1]} counted as {first[1]}{rest}"

    return _OPTION.sub(done, note)


def _undivided(
    pairs: Pairs, coarse: set[int], fine: set[int], sides: tuple[str, str], names: Sequence[str]
) -> Iterator[str]:
    """Tell of classes of one mask that the other one lacks and has another class in their place.

    Parameters
    ----------
    pairs : ndarray
        By value in the mask that may be coarser, and in the other.
    coarse, fine : set of int
        Their classes.
    sides : tuple of str
        What they are called.
    names : sequence of str
        Of the classes.
    """
    found: dict[int, int] = {}
    for value in sorted(fine - coarse):
        over = pairs[1:, value]
        if over.max() >= _MOST_OF * pairs[:, value].sum():
            found[int(value)] = int(over.argmax()) + 1
    if not found:
        return
    lost = " and ".join(f"class {_named(value, names)}" for value in found)
    there = " and ".join(f"class {_named(value, names)}" for value in sorted(set(found.values())))
    option = f"--map-{sides[1]} " + ",".join(f"{old}={new}" for old, new in found.items())
    yield (
        f"Most of {lost} of the {sides[1]} is {there} in the {sides[0]}, which does not tell them apart; 'any class' "
        f"compares all classes together, and {option} makes them one."
    )


def _swapped(pairs: Pairs, common: Sequence[int]) -> Iterator[str]:
    """Tell of classes that both masks have, each of which lies on another one's place.

    By number only: one of the masks may have no names, and those of the other would be the wrong ones.
    """
    moved: dict[int, int] = {}
    for value in common:
        scores = [_dice(pairs, value, other) for other in common]
        best = int(common[int(np.argmax(scores))])
        if max(scores) >= _MOST_OF and max(scores) - _dice(pairs, value, value) >= _BETTER_BY:
            moved[int(value)] = best
    if not moved or set(moved) != set(moved.values()):
        return
    told = " and ".join(
        f"class {value} lies on class {other} (Dice {_dice(pairs, value, other):.3f})" for value, other in moved.items()
    )
    option = ",".join(f"{old}={new}" for old, new in moved.items())
    yield (
        f"Of the prediction, {told} of the truth: the classes seem to be swapped. If only their numbers are, compare "
        f"with --map-prediction {option}."
    )


def _dice(pairs: Pairs, value: int, other: int) -> float:
    below = int(pairs[value].sum() + pairs[:, other].sum())
    return 2 * int(pairs[value, other]) / below if below else 0.0


def _named(value: int, names: Sequence[str]) -> str:
    name = names[value - 1] if value <= len(names) else ""
    return f"{value} ({name})" if name else str(value)
