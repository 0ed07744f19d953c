"""All classes between painted slices, slice by slice."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.class_track import ClassTrack
from napari_medpatch.annotate.painted_planes import PaintedPlane, filled
from napari_medpatch.annotate.shape_between import FAR
from napari_medpatch.annotate.signed_distance import FloatArray
from napari_medpatch.annotate.sparse import LabelArray


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
        result[0] = -result[1:].max(axis=0)
        return result

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
