"""The mask and the maps of a segmentation while they fill."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.infer.decide import Decision

Bytes = npt.NDArray[np.uint8]


class MaskCanvas:
    """Arrays on the mask's grid; where nothing was put, there is background, without doubt.

    They stay the same arrays to the end, so that a window can show them while they fill.

    Parameters
    ----------
    shape : sequence of int
        Of the mask.
    classes : int
        Number of foreground classes.
    probabilities, uncertainty : bool
        What is kept besides the mask.
    """

    def __init__(self, shape: Sequence[int], classes: int, *, probabilities: bool, uncertainty: bool) -> None:
        self.mask: Bytes = np.zeros(tuple(shape), np.uint8)
        self.maps: Bytes | None = np.zeros((classes, *shape), np.uint8) if probabilities else None
        self.uncertainty: Bytes | None = np.zeros(tuple(shape), np.uint8) if uncertainty else None

    def put(self, box: Box, piece: Decision) -> None:
        """Copy a piece in."""
        self.mask[box.slices] = piece.labels
        if self.maps is not None and piece.probabilities is not None:
            self.maps[(slice(None), *box.slices)] = piece.probabilities
        if self.uncertainty is not None and piece.uncertainty is not None:
            self.uncertainty[box.slices] = piece.uncertainty

    def piece(self, box: Box) -> Decision:
        """Return a copy of what lies in a box."""
        maps = self.maps[(slice(None), *box.slices)].copy() if self.maps is not None else None
        doubt = self.uncertainty[box.slices].copy() if self.uncertainty is not None else None
        return Decision(self.mask[box.slices].copy(), maps, doubt)

    def planes(self, box: Box) -> Bytes:
        """Return everything in a box as one array ``(planes, *box.shape)``."""
        piece = self.piece(box)
        planes = [piece.labels[None]]
        planes += [piece.probabilities] if piece.probabilities is not None else []
        planes += [piece.uncertainty[None]] if piece.uncertainty is not None else []
        return np.concatenate(planes)

    def put_planes(self, box: Box, planes: Bytes) -> bool:
        """Copy in what :meth:`planes` returned; False if it does not fit."""
        maps = 0 if self.maps is None else len(self.maps)
        expected = 1 + maps + (self.uncertainty is not None)
        inside = box.clip(self.mask.shape) == box and box.size > 0
        if planes.shape != (expected, *box.shape) or planes.dtype != np.uint8 or not inside:
            return False
        self.put(box, Decision(planes[0], planes[1 : 1 + maps], planes[-1]))
        return True

    def replace_mask(self, mask: Bytes) -> Box | None:
        """Copy another mask in; returns the smallest box that holds every difference, None without any."""
        box = changed(self.mask, mask)
        if box is not None:
            self.mask[box.slices] = mask[box.slices]
        return box


def changed(before: Bytes, after: Bytes) -> Box | None:
    """Return the smallest box that holds every difference between two masks, None if there is none."""
    different = before != after
    start, stop = [], []
    for axis in range(different.ndim):
        found = np.flatnonzero(different.any(axis=tuple(a for a in range(different.ndim) if a != axis)))
        if not len(found):
            return None
        start.append(int(found[0]))
        stop.append(int(found[-1]) + 1)
    return Box(tuple(start), tuple(stop))
