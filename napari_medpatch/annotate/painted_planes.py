"""Which slices of a volume were painted, across which axis."""

from dataclasses import dataclass

import numpy as np

from napari_medpatch.annotate.signed_distance import Bools, nearest_label
from napari_medpatch.annotate.sparse import LabelArray

AXES = ("axial", "coronal", "sagittal")
"""Names of slices across z, y and x."""
_WHOLE = 0.8
"""Share of a slice that must be painted for its unpainted pixels to be gaps rather than outside."""
_RUN = 5
"""Paint that goes on across this many slices belongs to slices of another axis, which it crosses."""


@dataclass(frozen=True, slots=True)
class PaintedPlane:
    """A slice that was painted.

    Parameters
    ----------
    index : int
        Along the axis.
    values : frozenset of int
        Label values painted in it.
    share : float
        Of its pixels that are painted.
    """

    index: int
    values: frozenset[int]
    share: float

    @property
    def is_whole(self) -> bool:
        """Whether what is not painted in it is a gap."""
        return self.share >= _WHOLE


def across(labels: LabelArray, axis: int) -> LabelArray:
    """Return a volume with the slices of an axis in front, contiguous."""
    return np.ascontiguousarray(np.moveaxis(labels, axis, 0))


def painted_planes(planes: LabelArray) -> list[PaintedPlane]:
    """Return the painted slices of a stack, in order.

    Slices painted across another axis cross these ones as lines; such lines alone do not make a painted
    slice: paint counts if it has an extent along both axes of the slice and does not go on for slices.

    Parameters
    ----------
    planes : ndarray
        ``(slices, rows, columns)`` uint8 sparse labels.
    """
    return [found for index in range(len(planes)) if (found := _plane(planes, index)) is not None]


def best_axis(labels: LabelArray) -> int:
    """Return the axis with the most fully painted slices; the first of equals."""
    amounts = [sum(plane.share for plane in painted_planes(across(labels, axis))) for axis in range(3)]
    return int(np.argmax(amounts))


def filled(plane: LabelArray, facts: PaintedPlane) -> LabelArray:
    """Return a slice whose gaps are closed if it was painted whole."""
    return nearest_label(plane) if facts.is_whole else plane


def _plane(planes: LabelArray, index: int) -> PaintedPlane | None:
    plane = planes[index]
    painted = plane > 0
    if not painted.any():
        return None
    own = painted & _has_neighbour(painted, 0) & _has_neighbour(painted, 1) & ~_goes_on(planes, index)
    if not own.any():
        return None
    values = frozenset(np.flatnonzero(np.bincount(plane[own])).tolist())
    return PaintedPlane(index, values, float(painted.mean()))


def _has_neighbour(painted: Bools, axis: int) -> Bools:
    lines = np.moveaxis(painted, axis, 0)
    found = np.zeros_like(lines)
    both = lines[1:] & lines[:-1]
    found[1:] |= both
    found[:-1] |= both
    return np.moveaxis(found, 0, axis)


def _goes_on(planes: LabelArray, index: int) -> Bools:
    """Return what is painted in the slices before and after, too; the volume's end says nothing against it."""
    near = range(max(0, index - _RUN // 2), min(len(planes), index + _RUN // 2 + 1))
    result = np.full(planes.shape[1:], len(near) > 1)
    for other in near:
        result &= planes[other] > 0
    return result
