"""Connected objects of a mask: where they are, how large, which of another mask's they touch."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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

    def boxes(self) -> list[tuple[slice, ...]]:
        """Return the bounding box of each object; that of object 1 comes first."""
        from scipy.ndimage import find_objects

        found: list[tuple[slice, ...]] = find_objects(self.labels, max_label=self.count)
        return found


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
    volume = labels[None] if labels.ndim == 2 else labels
    for z, plane in enumerate(volume):
        rows, columns = np.nonzero(plane)
        # Only the numbers of this plane: an image may have a million specks.
        numbers, index = np.unique(plane[rows, columns], return_inverse=True)
        here = np.bincount(index, minlength=len(numbers))
        sizes[numbers] += here
        sums[numbers, 0] += z * here
        sums[numbers, 1] += np.bincount(index, weights=rows, minlength=len(numbers))
        sums[numbers, 2] += np.bincount(index, weights=columns, minlength=len(numbers))
        yield 0.5 + 0.5 * (z + 1) / len(volume)
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
    codes: list[npt.NDArray[np.int64]] = []
    counts: list[npt.NDArray[np.int64]] = []
    wide = true.count + 1
    for z, (p, t) in enumerate(zip(_planes(predicted), _planes(true), strict=True)):
        both = (p > 0) & (t > 0)
        code, count = np.unique(p[both].astype(np.int64) * wide + t[both], return_counts=True)
        codes.append(code)
        counts.append(count)
        yield (z + 1) / len(_planes(predicted))
    found, index = np.unique(np.concatenate(codes), return_inverse=True)
    total = np.bincount(index, weights=np.concatenate(counts), minlength=len(found)).astype(np.int64)
    return np.stack([found // wide, found % wide], axis=1), total


def _planes(each: Components) -> npt.NDArray[np.int32]:
    return each.labels[None] if each.labels.ndim == 2 else each.labels


def _label(mask: Bools, full: bool) -> tuple[npt.NDArray[Any], int]:
    from scipy.ndimage import generate_binary_structure, label

    labels, count = label(mask, structure=generate_binary_structure(mask.ndim, mask.ndim if full else 1))
    return labels, int(count)
