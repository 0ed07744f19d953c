"""Connected objects of a mask: where they are, how large, which of another mask's they touch."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.pieces import pieces_of
from napari_medpatch.evaluate.progress import wait_for

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Components:
    """Numbered objects of a mask.

    Parameters
    ----------
    labels : ndarray
        Shape of the mask, int32; 0 outside, 1… objects.
    sizes : ndarray
        (N + 1,) int64, pixels by number; entry 0 is 0.
    centroids : ndarray
        (N + 1, axes) float64, in pixels of ``labels``; entry 0 is NaN.
    """

    labels: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]
    centroids: npt.NDArray[np.float64]

    @property
    def count(self) -> int:
        """Number of objects."""
        return len(self.sizes) - 1

    def boxes(self, numbers: Sequence[int]) -> dict[int, tuple[slice, ...]]:
        """Return the bounding boxes of some objects by number."""
        from scipy.ndimage import find_objects

        # Making slices of half a million specks would take seconds that nobody can interrupt.
        table = np.zeros(self.count + 1, np.int32)
        table[list(numbers)] = np.arange(1, len(numbers) + 1)
        found = find_objects(table[self.labels], max_label=len(numbers))
        return dict(zip(numbers, found, strict=True))


def components(mask: Bools, *, full: bool) -> Generator[float, None, Components]:
    """Give each connected object of a mask a number; yields the share that is done.

    Parameters
    ----------
    mask : ndarray of bool
        ``(Y, X)`` or ``(Z, Y, X)``.
    full : bool
        Pixels that touch by a corner belong together, not only those that share a face.
    """
    # A second or two on a large volume.
    labels, count = yield from wait_for(_label, mask, full)
    sizes, sums = np.zeros(count + 1, np.int64), np.zeros((count + 1, 3))
    pieces = pieces_of(labels)
    for done, (z, y, piece) in enumerate(pieces, start=1):
        rows, columns = np.nonzero(piece)
        numbers = piece[rows, columns]
        here = np.bincount(numbers, minlength=count + 1)
        sizes += here
        sums[:, 0] += z * here
        sums[:, 1] += np.bincount(numbers, weights=rows + y, minlength=count + 1)
        sums[:, 2] += np.bincount(numbers, weights=columns, minlength=count + 1)
        yield 0.5 + 0.5 * done / len(pieces)
    with np.errstate(invalid="ignore"):
        centroids = sums / sizes[:, None]
    return Components(labels, sizes, centroids[:, 3 - mask.ndim :])


def common_pixels(
    predicted: Components, true: Components
) -> Generator[float, None, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Count what pairs of objects have in common.

    Returns
    -------
    pairs : ndarray
        (K, 2) int64, numbers of a predicted and a true object that share pixels.
    counts : ndarray
        (K,) int64, how many.
    """
    codes, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    wide = true.count + 1
    pieces = pieces_of(predicted.labels)
    for done, ((_, _, p), (_, _, t)) in enumerate(zip(pieces, pieces_of(true.labels), strict=True), start=1):
        both = (p > 0) & (t > 0)
        code = p[both].astype(np.int64) * wide + t[both]
        # Neighbours mostly belong to the same pair: sorting runs takes far less than sorting pixels.
        starts = np.flatnonzero(np.diff(code, prepend=-1))
        codes.append(code[starts])
        counts.append(np.diff(starts, append=len(code)))
        yield done / len(pieces)
    found, index = yield from wait_for(_unique, np.concatenate(codes))
    total = np.bincount(index, weights=np.concatenate(counts), minlength=len(found)).astype(np.int64)
    return np.stack([found // wide, found % wide], axis=1), total


def _unique(codes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    return np.unique(codes, return_inverse=True)


def _label(mask: Bools, full: bool) -> tuple[npt.NDArray[Any], int]:
    from scipy.ndimage import generate_binary_structure, label

    labels, count = label(mask, structure=generate_binary_structure(mask.ndim, mask.ndim if full else 1))
    return labels, int(count)
