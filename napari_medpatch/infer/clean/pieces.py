"""Connected pieces of an array of any size, found slab by slab, so that memory is bounded."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_medpatch.distinct import distinct_pairs
from napari_medpatch.infer.clean.work import Bools, slabs

Ids = npt.NDArray[np.int64]
_LABEL_VOXELS = 8_000_000


class Pieces:
    """The connected pieces of a boolean array.

    Slabs are labelled twice, once to learn which pieces hang together and once to number their voxels, because
    the numbers of a whole volume would take four to eight times its mask's memory.

    Parameters
    ----------
    inside : ndarray
        ``(*spatial)`` bool.
    corners : bool
        Whether pieces hang together by edges and corners too, not by faces only.
    slab_voxels : int
        Size of a slab; the result does not depend on it.
    """

    def __init__(self, inside: Bools, *, corners: bool = False, slab_voxels: int = _LABEL_VOXELS) -> None:
        self._inside = inside
        self._corners = corners
        self._slabs = list(slabs(inside.shape, slab_voxels))
        self._offsets = [0]
        self._number: Ids = np.zeros(1, np.int64)
        self._first: npt.NDArray[np.int32] | None = None
        self.sizes: Ids = np.zeros(1, np.int64)
        """Voxels of each piece by its number; 0 stands for what is in none."""
        self.at_border: Bools = np.zeros(1, bool)
        """Whether a piece touches the border of the array, by its number."""

    def find(self) -> Iterator[float]:
        """Find them, yielding the share done."""
        sizes: list[Ids] = [np.zeros(1, np.int64)]
        border: list[Bools] = [np.zeros(1, bool)]
        pairs: list[Ids] = []
        above: Ids | None = None
        total = 0
        for index, rows in enumerate(self._slabs):
            labels, count = self._label(rows)
            sizes.append(np.bincount(labels.ravel(), minlength=count + 1)[1:])
            border.append(self._touching(labels, count, index))
            if above is not None:
                pairs.append(self._joined(above, _shifted(labels[0], total)))
            above = _shifted(labels[-1], total)
            total += count
            self._offsets.append(total)
            if len(self._slabs) == 1:
                self._first = labels
            yield (index + 1) / len(self._slabs)
        self._join(np.concatenate(sizes), np.concatenate(border), pairs)

    def numbered(self) -> Iterator[tuple[slice, Ids]]:
        """Yield each slab with the numbers of the pieces in it; after :meth:`find`."""
        for rows, first, last in zip(self._slabs, self._offsets[:-1], self._offsets[1:], strict=True):
            labels = self._first if self._first is not None else self._label(rows)[0]
            table = np.concatenate([[0], self._number[first + 1 : last + 1]])
            yield rows, table[labels]

    def largest(self, count: int) -> Bools:
        """Return which pieces are the ``count`` largest, by number; of equal pieces the first."""
        chosen = np.argsort(-self.sizes, kind="stable")[:count]
        result = np.zeros(len(self.sizes), bool)
        result[chosen] = self.sizes[chosen] > 0
        return result

    def _label(self, rows: slice) -> tuple[npt.NDArray[np.int32], int]:
        from scipy.ndimage import generate_binary_structure, label

        reach = self._inside.ndim if self._corners else 1
        labels, count = label(self._inside[rows], structure=generate_binary_structure(self._inside.ndim, reach))
        return labels, int(count)

    def _touching(self, labels: npt.NDArray[np.int32], count: int, index: int) -> Bools:
        result = np.zeros(count + 1, bool)
        for axis in range(labels.ndim):
            for end in (0, -1):
                if axis == 0 and index != (0 if end == 0 else len(self._slabs) - 1):
                    continue
                result[np.take(labels, end, axis=axis)] = True
        return result[1:]

    def _joined(self, above: Ids, below: Ids) -> Ids:
        """Return which pieces of two neighbouring slabs touch, ``(2, N)``."""
        steps = (-1, 0, 1) if self._corners else (0,)
        found = [_pairs(above, below, shift) for shift in product(steps, repeat=above.ndim)]
        return distinct_pairs(*np.concatenate(found, axis=1))

    def _join(self, sizes: Ids, border: Bools, pairs: list[Ids]) -> None:
        """Give the pieces numbers across slabs, in the order of their first voxels."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        count = len(sizes)
        first, second = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), np.int64)
        graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
        found, number = connected_components(graph, directed=False)
        self._number = number.astype(np.int64)
        self.sizes = np.bincount(number, weights=sizes, minlength=found).astype(np.int64)
        self.at_border = np.zeros(found, bool)
        self.at_border[number[border]] = True


def _shifted(labels: npt.NDArray[np.int32], offset: int) -> Ids:
    return np.where(labels > 0, labels.astype(np.int64) + offset, 0)


def _pairs(above: Ids, below: Ids, shift: tuple[int, ...]) -> Ids:
    """Return the pairs of numbers at ``p`` above and ``p + shift`` below."""
    ranges = [(max(0, -s), min(n, n - s)) for s, n in zip(shift, above.shape, strict=True)]
    one = above[tuple(slice(a, b) for a, b in ranges)]
    other = below[tuple(slice(a + s, b + s) for (a, b), s in zip(ranges, shift, strict=True))]
    both = (one > 0) & (other > 0)
    return distinct_pairs(one[both], other[both])
