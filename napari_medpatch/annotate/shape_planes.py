"""All classes between painted slices, slice by slice."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.class_track import ClassTrack
from napari_medpatch.annotate.painted_planes import PaintedPlane, filled
from napari_medpatch.annotate.shape_between import FAR, ShapeBetween
from napari_medpatch.annotate.signed_distance import FloatArray
from napari_medpatch.annotate.sparse import LabelArray

_CRACK = 2.0
"""Pixels from its border up to which a class takes what lies inside the whole but in no class."""


class ShapePlanes:
    """Shape-based interpolation of several classes that compete for each pixel.

    Parameters
    ----------
    planes : ndarray
        ``(slices, rows, columns)`` uint8 sparse labels.
    painted : sequence of PaintedPlane
        Of that stack.
    spacing : sequence of float
        Size of a pixel of a slice, mm.
    beyond : int
        Slices to go on for after the outermost ones.
    reach_mm : float
        Distance from the border to which signed distances are wanted.

    Attributes
    ----------
    window : tuple of slice
        Rows and columns that the classes can lie in.
    values : tuple of int
        Label values: 1 background, then the classes that are painted.
    """

    def __init__(
        self,
        planes: LabelArray,
        painted: Sequence[PaintedPlane],
        spacing: Sequence[float],
        *,
        beyond: int = 0,
        reach_mm: float = 0.0,
    ) -> None:
        margin = 2 + math.ceil(reach_mm / min(spacing))
        self.window = _window(planes, painted, margin)
        closed = {plane.index: filled(planes[plane.index], plane)[self.window] for plane in painted}
        values = sorted({value for plane in painted for value in plane.values if value > 1})
        self._tracks = [ClassTrack(value, painted, closed, spacing, beyond=beyond, margin=margin) for value in values]
        self.values = (1, *values)
        self._planes, self._spacing, self._margin = closed, tuple(spacing), margin
        self._together: tuple[tuple[int, int], ShapeBetween] | None = None
        stops = [stop for track in self._tracks for stop in (track.stops[0], track.stops[-1])]
        self.first = max(0, min(stops))
        self.last = min(len(planes) - 1, max(stops))

    def scores(self, index: int) -> FloatArray:
        """Return how far each pixel of a slice lies inside each of :attr:`values`.

        Returns
        -------
        ndarray
            ``(values, *window)`` float32 in mm; the largest wins. ``-FAR`` where a class is unknown.
        """
        height, width = (part.stop - part.start for part in self.window)
        result = np.full((len(self.values), height, width), -FAR, np.float32)
        for place, track in enumerate(self._tracks, start=1):
            distance = track.distance(index)
            if distance is not None:
                result[place] = distance
        nearest, whole = result[1:].max(axis=0), self._whole(index)
        if whole is not None:
            # Two classes that touch may leave a crack between them; it belongs to the nearer one.
            crack = (whole > nearest) & (nearest > -_CRACK * max(self._spacing))
            nearest = np.where(crack, whole, nearest)
        result[0] = -nearest
        return result

    def _whole(self, index: int) -> FloatArray | None:
        """Return the signed distance of all classes as one region, if the same two slices speak for all."""
        ends = {track.ends(index) for track in self._tracks} - {None}
        pair = ends.pop() if len(self._tracks) > 1 and len(ends) == 1 else None
        if pair is None or not all(end in self._planes for end in pair):
            return None
        if self._together is None or self._together[0] != pair:
            here, there = (self._planes[end] > 1 for end in pair)
            self._together = pair, ShapeBetween(here, there, self._spacing, self._margin)
        return self._together[1].distance((index - pair[0]) / (pair[1] - pair[0]))

    def winners(self, scores: FloatArray) -> LabelArray:
        """Return the label value that wins each pixel."""
        winners: LabelArray = np.asarray(self.values, np.uint8)[scores.argmax(axis=0)]
        return winners


def _window(planes: LabelArray, painted: Sequence[PaintedPlane], margin: int) -> tuple[slice, slice]:
    """Return the window that holds the classes of all painted slices."""
    used = np.zeros(planes.shape[1:], bool)
    for plane in painted:
        used |= planes[plane.index] > 1
    rows, columns = (_span(np.any(used, axis=1 - axis), margin) for axis in (0, 1))
    return rows, columns


def _span(used: npt.NDArray[np.bool_], margin: int) -> slice:
    first, last = (int(end) for end in np.flatnonzero(used)[[0, -1]])
    return slice(max(0, first - margin), min(len(used), last + 1 + margin))
