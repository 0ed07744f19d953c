"""Which parts of a class in one slice continue as which parts in another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.signed_distance import Bools
from napari_medpatch.distinct import distinct_pairs

_Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PartPair:
    """Parts of one slice and what they become in the other; one side may be empty.

    Parameters
    ----------
    window : tuple of slice
        Smallest window of the slice that holds them, grown by a margin.
    here, there : ndarray of bool
        The parts, of the window's shape.
    single : bool
        Whether it is one part on either side, so that a shift between the two has a meaning.
    """

    window: tuple[slice, slice]
    here: Bools
    there: Bools
    single: bool


def pair_parts(here: Bools, there: Bools, spacing: Sequence[float], margin: int = 2) -> Iterator[PartPair]:
    """Pair the connected parts of two slices.

    Parts that overlap belong together, all those of a branching structure too. A part that overlaps nothing
    is paired with the nearest such part of the other slice if the two would touch when their centres met half-way:
    their distance is at most the sum of their radii. What is left stands alone: the class begins or ends there.

    Parameters
    ----------
    here, there : ndarray of bool
        ``(Y, X)``.
    spacing : sequence of float
        Size of a pixel, ``(y, x)``.
    margin : int
        Pixels that windows are grown by.
    """
    from scipy.ndimage import find_objects, label
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    structure = np.ones((3, 3), bool)
    (a, many_a), (b, many_b) = label(here, structure), label(there, structure)
    if not many_a + many_b:
        return
    links = _overlaps(a, b) + _neighbours(a, many_a, b, many_b, spacing)
    one, other = (np.array([link[side] for link in links], np.intp) for side in (0, 1))
    size = many_a + many_b
    graph = coo_array((np.ones(len(links)), (one - 1, other - 1 + many_a)), shape=(size, size))
    count, group = connected_components(graph, directed=False)
    boxes = [*find_objects(a), *find_objects(b)]
    for index in range(count):
        members = np.flatnonzero(group == index)
        window = _window([boxes[member] for member in members], here.shape, margin)
        mine = np.isin(a[window], members[members < many_a] + 1)
        theirs = np.isin(b[window], members[members >= many_a] - many_a + 1)
        yield PartPair(window, mine, theirs, single=bool((members < many_a).sum() == 1 == (members >= many_a).sum()))


def _overlaps(a: _Ints, b: _Ints) -> list[tuple[int, int]]:
    both = (a > 0) & (b > 0)
    return [(int(i), int(j)) for i, j in distinct_pairs(a[both], b[both]).T]


def _neighbours(a: _Ints, many_a: int, b: _Ints, many_b: int, spacing: Sequence[float]) -> list[tuple[int, int]]:
    """Pair parts without overlap, nearest first, each at most once."""
    linked = _overlaps(a, b)
    free_a = [i for i in range(1, many_a + 1) if i not in {link[0] for link in linked}]
    free_b = [j for j in range(1, many_b + 1) if j not in {link[1] for link in linked}]
    if not free_a or not free_b:
        return []
    (centre_a, radius_a), (centre_b, radius_b) = _discs(a, free_a, spacing), _discs(b, free_b, spacing)
    distance = np.linalg.norm(centre_a[:, None] - centre_b[None], axis=2)
    reach = radius_a[:, None] + radius_b[None]
    pairs: list[tuple[int, int]] = []
    while (best := np.unravel_index(np.argmin(distance), distance.shape)) and distance[best] <= reach[best]:
        pairs.append((free_a[best[0]], free_b[best[1]]))
        distance[best[0], :] = distance[:, best[1]] = np.inf
    return pairs


def _discs(
    parts: _Ints, numbers: Sequence[int], spacing: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return centres and radii of discs as large as the parts."""
    from scipy.ndimage import center_of_mass

    counts = np.bincount(parts.reshape(-1))[list(numbers)]
    centres = np.asarray(center_of_mass(parts > 0, parts, numbers)) * np.asarray(spacing)
    return centres, np.sqrt(counts * np.prod(spacing) / np.pi)


def _window(boxes: Sequence[tuple[slice, slice]], shape: tuple[int, ...], margin: int) -> tuple[slice, slice]:
    rows, columns = (
        slice(
            max(0, min(box[axis].start for box in boxes) - margin),
            min(shape[axis], max(box[axis].stop for box in boxes) + margin),
        )
        for axis in (0, 1)
    )
    return rows, columns
