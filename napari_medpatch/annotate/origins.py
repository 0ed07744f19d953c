"""Where each label of a voxel comes from: painted by hand, interpolated, or predicted by a model.

Nothing is recorded while somebody paints. What was accepted is kept, and a voxel counts as interpolated or
predicted for as long as it has the label that was accepted for it; every other label was painted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.sparse import LabelArray, value_counts
from napari_medpatch.geometry import Box

UNLABELLED, PAINTED, INTERPOLATED, PREDICTED = range(4)
ORIGIN_NAMES = ("painted", "interpolated", "predicted")
"""Names of the origins 1, 2 and 3; 0 is unlabelled."""
_SAMPLE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class AcceptedPart:
    """Labels that were accepted at one time.

    Parameters
    ----------
    box : Box
        Where.
    labels : ndarray
        uint8 label values, of the shape of ``box``; 0 where nothing was accepted.
    origin : int
        :data:`INTERPOLATED` or :data:`PREDICTED`.
    sample : ndarray
        Some of the accepted voxels, as flat indices into ``labels``.
    """

    box: Box
    labels: LabelArray
    origin: int
    sample: npt.NDArray[np.intp]

    @classmethod
    def of(cls, labels: LabelArray, origin: int, at: tuple[int, ...] | None = None) -> "AcceptedPart | None":
        """Return the part of an array, cropped to what is accepted; None if nothing is.

        Parameters
        ----------
        labels : ndarray
            uint8 label values, 0 where nothing was accepted.
        origin : int
            Of all of them.
        at : tuple of int, optional
            First corner of the array in the volume.
        """
        box = occupied(labels)
        if box is None:
            return None
        inner = np.ascontiguousarray(labels[box.slices])
        accepted = np.flatnonzero(inner)
        step = max(1, len(accepted) // _SAMPLE)
        return cls(box if at is None else box.shift(at), inner, origin, accepted[::step])

    def stands(self, live: LabelArray) -> float:
        """Return which share of a sample of its voxels still has the accepted label, 0…1."""
        return float((live[self.box.slices].flat[self.sample] == self.labels.flat[self.sample]).mean())

    def is_erased(self, live: LabelArray) -> bool:
        """Whether its voxels are unlabelled again, as after undoing the acceptance."""
        return not live[self.box.slices].flat[self.sample].any()


class AcceptedLabels:
    """All that was accepted into one array of labels, in order.

    An acceptance that was undone no longer counts, so that what is then painted by hand in its place is
    painted; one that was redone counts again. :meth:`look` notices both.

    Parameters
    ----------
    parts : sequence of AcceptedPart
        What was accepted so far.
    """

    def __init__(self, *parts: AcceptedPart) -> None:
        # Replaced, never changed: a worker may be reading them.
        self._parts = tuple(parts)
        self._undone: frozenset[int] = frozenset()

    @classmethod
    def of_saved(cls, labels: LabelArray, origins: LabelArray | None) -> "AcceptedLabels":
        """Return what the origins of saved labels tell."""
        if origins is None:
            return cls()
        parts = (
            AcceptedPart.of(np.where(origins == origin, labels, 0).astype(np.uint8), origin)
            for origin in (INTERPOLATED, PREDICTED)
        )
        return cls(*(part for part in parts if part is not None))

    def __bool__(self) -> bool:
        return len(self._parts) > len(self._undone)

    def add(self, part: AcceptedPart) -> None:
        """Remember an acceptance."""
        self._parts = (*self._parts, part)

    def look(self, live: LabelArray) -> None:
        """Notice which acceptances were undone or redone; quick, so call it whenever labels may have changed."""
        for index, part in enumerate(self._parts):
            if index in self._undone:
                if part.stands(live) == 1:
                    self._undone -= {index}
            elif part.is_erased(live):
                self._undone |= {index}

    def snapshot(self) -> "AcceptedLabels":
        """Return a copy for a worker, without what was undone."""
        return AcceptedLabels(*(part for index, part in enumerate(self._parts) if index not in self._undone))

    def origins(self, live: LabelArray) -> LabelArray | None:
        """Return the origin of each voxel: 0 unlabelled, 1 painted, 2 interpolated, 3 predicted.

        Parameters
        ----------
        live : ndarray
            The labels as they are now.

        Returns
        -------
        ndarray or None
            uint8, of the same shape; None if nothing was accepted, so that all is painted.
        """
        if not self:
            return None
        result = (live > 0).astype(np.uint8)
        for part in self.snapshot()._parts:
            here = live[part.box.slices]
            result[part.box.slices][(part.labels > 0) & (here == part.labels)] = part.origin
        return result


def origin_counts(origins: LabelArray) -> Mapping[str, int]:
    """Return how many voxels have each origin, by name."""
    counts = value_counts(origins)
    return {name: int(counts[origin]) for origin, name in enumerate(ORIGIN_NAMES, start=1)}


def occupied(labels: LabelArray) -> Box | None:
    """Return the smallest box that holds all labels, None if there are none."""
    start, stop = [], []
    for axis in range(labels.ndim):
        used = np.flatnonzero(labels.any(axis=tuple(other for other in range(labels.ndim) if other != axis)))
        if not used.size:
            return None
        start.append(int(used[0]))
        stop.append(int(used[-1]) + 1)
    return Box(tuple(start), tuple(stop))
