"""Shape-based interpolation of one class between two slices.

The signed distance to the border is interpolated linearly and its zero level is the new border (Raya & Udupa
1990); a part that moves is shifted along by its centre (Herman, Zheng & Bucholtz 1992), where that makes the
two ends overlap better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.part_pairs import PartPair, pair_parts
from napari_medpatch.annotate.signed_distance import Bools, FloatArray, signed_distance

FAR = 1e4
"""Stands for "nowhere near" in mm."""
_STILL = 0.05


class ShapeBetween:
    """One class between two slices.

    A part that lies in one of the slices only ends half-way to the other as a dome: where it ends is unknown,
    and half-way is wrong by least.

    Parameters
    ----------
    here, there : ndarray of bool
        ``(Y, X)``, the class in the two slices.
    spacing : sequence of float
        Size of a pixel, ``(y, x)`` in mm.
    margin : int
        Pixels around the parts in which distances are known; beyond they are :data:`FAR` outside.
    """

    def __init__(self, here: Bools, there: Bools, spacing: Sequence[float], margin: int = 2) -> None:
        self._shape = here.shape
        self._parts = [
            _Bridge(pair, spacing) if pair.here.any() and pair.there.any() else _Dome(pair, spacing)
            for pair in pair_parts(here, there, spacing, margin)
        ]

    def distance(self, fraction: float) -> FloatArray:
        """Return the signed distance to the border of the class on the way.

        Parameters
        ----------
        fraction : float
            0 at the first slice, 1 at the second.

        Returns
        -------
        ndarray
            ``(Y, X)`` float32 in mm, positive inside.
        """
        result = np.full(self._shape, -FAR, np.float32)
        for part in self._parts:
            view = result[part.window]
            np.maximum(view, part.distance(fraction), out=view)
        return result


@dataclass(slots=True, init=False)
class _Bridge:
    """Parts that lie in both slices."""

    window: tuple[slice, slice]
    _here: FloatArray
    _there: FloatArray
    _move: npt.NDArray[np.float64]

    def __init__(self, pair: PartPair, spacing: Sequence[float]) -> None:
        self.window = pair.window
        self._here, self._there = signed_distance(pair.here, spacing, FAR), signed_distance(pair.there, spacing, FAR)
        self._move = _helpful_move(pair)

    def distance(self, fraction: float) -> FloatArray:
        here = _shifted(self._here, fraction * self._move)
        there = _shifted(self._there, (fraction - 1) * self._move)
        return np.asarray((1 - fraction) * here + fraction * there, np.float32)


@dataclass(slots=True, init=False)
class _Dome:
    """Parts that lie in one of the slices."""

    window: tuple[slice, slice]
    _distance: FloatArray
    _depth: np.float32
    _begins_there: bool

    def __init__(self, pair: PartPair, spacing: Sequence[float]) -> None:
        self.window, self._begins_there = pair.window, not pair.here.any()
        self._distance = signed_distance(pair.there if self._begins_there else pair.here, spacing, FAR)
        self._depth = self._distance.max()

    def distance(self, fraction: float) -> FloatArray:
        away = 2 * (1 - fraction if self._begins_there else fraction)
        if away >= 1:
            return np.full_like(self._distance, -FAR)
        return self._distance - self._depth * np.float32(1 - math.sqrt(1 - away**2))


def _helpful_move(pair: PartPair) -> npt.NDArray[np.float64]:
    """Return the way from centre to centre in pixels, 0 unless the parts overlap better once moved by it."""
    from scipy.ndimage import center_of_mass, shift

    still = np.zeros(2)
    if not pair.single:
        return still
    move = np.subtract(center_of_mass(pair.there), center_of_mass(pair.here))
    moved = shift(pair.here.view(np.uint8), np.rint(move), order=0) > 0
    better = (moved & pair.there).sum() > (pair.here & pair.there).sum()
    return np.asarray(move) if better else still


def _shifted(distance: FloatArray, move: npt.NDArray[np.float64]) -> FloatArray:
    from scipy.ndimage import shift

    if np.abs(move).max() < _STILL:
        return distance
    return np.asarray(shift(distance, move, order=1, mode="nearest"), np.float32)
