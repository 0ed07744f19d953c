"""In which order blocks are segmented: what the user looks at comes first."""

from collections.abc import Sequence

import numpy as np

from napari_medpatch.geometry import Box


def from_there_on(boxes: Sequence[Box], place: Sequence[float] | None) -> list[int]:
    """Return the boxes' numbers, beginning with the one nearest to a place and going round.

    A network that sweeps over the volume goes on from one block to the next at no extra cost, so the order
    is kept otherwise.

    Parameters
    ----------
    boxes : sequence of Box
        In the order in which they follow each other.
    place : sequence of float, optional
        On the boxes' grid; None begins with the first.
    """
    if place is None or not boxes:
        return list(range(len(boxes)))
    first = int(np.argmin([_distance(box, place) for box in boxes]))
    return [*range(first, len(boxes)), *range(first)]


def _distance(box: Box, place: Sequence[float]) -> float:
    """Return how far a place lies outside a box, along the axes one after the other."""
    if not box.size:
        return float("inf")
    return float(sum(max(a - p, p - (b - 1), 0.0) for a, b, p in zip(box.start, box.stop, place, strict=True)))
