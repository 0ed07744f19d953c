"""Whether points lie inside the outline of a mask."""

import itertools

import numpy as np
import numpy.typing as npt

from napari_medpatch.patches.disc import BoolArray

_TOUCH = 1e-6


def look_up(mask: BoolArray, index: npt.NDArray[np.floating]) -> BoolArray:
    """Return the mask at ``(N, 2)`` whole numbers ``y, x``; False outside."""
    inside = ((index >= 0) & (index < mask.shape)).all(axis=1)
    found = np.zeros(len(index), bool)
    found[inside] = mask[tuple(index[inside].astype(np.int64).T)]
    return found


def inside_outline(mask: BoolArray, place: npt.NDArray[np.float64]) -> BoolArray:
    """Return which points lie strictly inside the polygons that OpenCV's contours of a mask make.

    The contours run through the centres of the border's pixels, and cut corners. So a square between
    four pixels is inside if all four are set, and half of it if three are.

    Parameters
    ----------
    mask : ndarray
        ``(Y, X) bool``.
    place : ndarray
        ``(N, 2) float64``, ``y, x`` in pixels; whole numbers are the centres of pixels.
    """
    found = np.ones(len(place), bool)
    # A point on the line between two squares is inside only if both are.
    for nudge in itertools.product((-_TOUCH, _TOUCH), repeat=2):
        found &= _inside(mask, place + nudge)
    return found


def _inside(mask: BoolArray, place: npt.NDArray[np.float64]) -> BoolArray:
    corner = np.floor(place)
    down, right = (place - corner).T
    set_ = [look_up(mask, corner + step) for step in itertools.product((0, 1), repeat=2)]
    # How far inside the half that is left if this corner is the only one missing.
    beyond = (down + right - 1, down - right, right - down, 1 - down - right)
    count = np.sum(set_, axis=0)
    found: BoolArray = count == 4
    for is_set, depth in zip(set_, beyond, strict=True):
        found |= (count == 3) & ~is_set & (depth > 0)
    return found
