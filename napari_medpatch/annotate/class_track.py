"""One class along the axis: which slices say where it is, and what lies between them."""

from collections.abc import Mapping, Sequence

import numpy as np

from napari_medpatch.annotate.painted_planes import PaintedPlane
from napari_medpatch.annotate.shape_between import ShapeBetween
from napari_medpatch.annotate.signed_distance import Bools, FloatArray
from napari_medpatch.annotate.sparse import LabelArray

_DENIES = 0.9
"""Share of the class's place that another slice must label otherwise to say that the class is not there."""


class ClassTrack:
    """The slices that speak for one class, and its shape between them.

    A slice speaks for a class if the class is painted in it, or if it is painted as a whole or at least where
    the class lies in the neighbouring slices: then the class is not there. Other slices say nothing.

    Parameters
    ----------
    value : int
        Label value of the class, 2….
    painted : sequence of PaintedPlane
        Of the axis, in order.
    planes : mapping of int to ndarray
        The same slices by index, ``(Y, X)`` uint8.
    spacing : sequence of float
        Size of a pixel of a slice, mm.
    beyond : int
        Slices that the class may go on for after the last one it is painted in, if none there denies it.
    margin : int
        As :class:`ShapeBetween`.
    """

    def __init__(
        self,
        value: int,
        painted: Sequence[PaintedPlane],
        planes: Mapping[int, LabelArray],
        spacing: Sequence[float],
        *,
        beyond: int = 0,
        margin: int = 2,
    ) -> None:
        self.value = value
        self._planes, self._spacing, self._margin = planes, spacing, margin
        has = [plane.index for plane in painted if value in plane.values]
        denied = [plane.index for plane in painted if value not in plane.values and self._denies(plane, has)]
        self.stops = sorted({*has, *denied})
        if beyond and self.stops:
            # The dome of a class that ends half-way to an imagined empty slice is as long as was asked for.
            reach = 2 * beyond + 1
            self.stops = [
                *([self.stops[0] - reach] if self.stops[0] in has else []),
                *self.stops,
                *([self.stops[-1] + reach] if self.stops[-1] in has else []),
            ]
        self._between: ShapeBetween | None = None
        self._ends = (0, 0)

    def ends(self, index: int) -> tuple[int, int] | None:
        """Return the slices around a slice that speak for the class, None if there are none or it is one."""
        place = int(np.searchsorted(self.stops, index))
        if place in (0, len(self.stops)) or self.stops[place] == index:
            return None
        return self.stops[place - 1], self.stops[place]

    def distance(self, index: int) -> FloatArray | None:
        """Return the signed distance to the border of the class in a slice, mm; None where nothing is known.

        Parameters
        ----------
        index : int
            Of the slice; quickest in order.
        """
        ends = self.ends(index)
        if ends is None:
            return None
        if ends != self._ends or self._between is None:
            here, there = (self._mask(end) for end in ends)
            self._ends, self._between = ends, ShapeBetween(here, there, self._spacing, self._margin)
        return self._between.distance((index - ends[0]) / (ends[1] - ends[0]))

    def _mask(self, index: int) -> Bools:
        plane = self._planes.get(index)
        if plane is None:
            return np.zeros(next(iter(self._planes.values())).shape, bool)
        return np.asarray(plane == self.value)

    def _denies(self, plane: PaintedPlane, has: Sequence[int]) -> bool:
        if plane.is_whole:
            return True
        place = int(np.searchsorted(has, plane.index))
        wanted = np.zeros(self._planes[plane.index].shape, bool)
        for neighbour in has[max(0, place - 1) : place + 1]:
            wanted |= self._mask(neighbour)
        labelled = self._planes[plane.index] > 0
        return bool(wanted.any() and labelled[wanted].mean() >= _DENIES)
