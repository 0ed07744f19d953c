"""Which predicted object is which true one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matching:
    """One-to-one pairs of objects, and who is left.

    Parameters
    ----------
    pairs : tuple of (int, int, int)
        Predicted number, true number and the pixels that they share, best IoU first.
    missed : tuple of int
        True objects without a partner.
    false : tuple of int
        Predicted objects without a partner.
    missed_touching, false_touching : frozenset of int
        Those of them that do overlap an object, one whose partner fits better, or too little.
    """

    pairs: tuple[tuple[int, int, int], ...]
    missed: tuple[int, ...]
    false: tuple[int, ...]
    missed_touching: frozenset[int]
    false_touching: frozenset[int]


def match_objects(
    predicted_sizes: Numbers,
    true_sizes: Numbers,
    pairs: Numbers,
    shared: Numbers,
    *,
    min_iou: float = 0.0,
    min_pixels: float = 0.0,
) -> Matching:
    """Pair objects greedily by IoU, each at most once.

    Parameters
    ----------
    predicted_sizes, true_sizes : ndarray
        (N + 1,) pixels by number; entry 0 does not count.
    pairs : ndarray
        (K, 2), numbers of a predicted and a true object that overlap.
    shared : ndarray
        (K,) pixels that they share.
    min_iou : float
        Pairs must have a larger IoU than this, or this very one if it is above 0.
    min_pixels : float
        Smaller objects are left out.
    """
    large = [np.flatnonzero(sizes[1:] >= max(min_pixels, 1)) + 1 for sizes in (predicted_sizes, true_sizes)]
    counted = np.isin(pairs[:, 0], large[0]) & np.isin(pairs[:, 1], large[1])
    pairs, shared = pairs[counted], shared[counted]
    iou = shared / (predicted_sizes[pairs[:, 0]] + true_sizes[pairs[:, 1]] - shared)
    free_p, free_t = set(large[0].tolist()), set(large[1].tolist())
    chosen = []
    # Stable, so that of two equal overlaps the first object keeps its partner.
    for index in np.argsort(-iou, kind="stable"):
        p, t = (int(number) for number in pairs[index])
        if iou[index] >= min_iou and p in free_p and t in free_t:
            chosen.append((p, t, int(shared[index])))
            free_p.remove(p)
            free_t.remove(t)
    missed, false = tuple(sorted(free_t)), tuple(sorted(free_p))
    touching = (frozenset(free & set(side.tolist())) for free, side in ((free_t, pairs[:, 1]), (free_p, pairs[:, 0])))
    return Matching(tuple(chosen), missed, false, *touching)
