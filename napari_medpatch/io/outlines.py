"""Exact outlines of masks: rings along pixel edges, with holes, one polygon per connected piece."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ring = npt.NDArray[np.int64]

# Directions of an edge between pixel corners, each a right turn (on the screen) from the last.
_EAST, _SOUTH, _WEST, _NORTH = range(4)
_STEP = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One 4-connected piece of a mask.

    Parameters
    ----------
    exterior : ndarray
        ``(K, 2) int64``, corners ``y, x`` of the outer ring in units of pixel edges: pixel ``(0, 0)``
        covers 0…1. Not closed (the first corner is not repeated); of positive area in ``x, y``.
    holes : tuple of ndarray
        Inner rings, of negative area.
    """

    exterior: Ring
    holes: tuple[Ring, ...]


def outlines(mask: npt.NDArray[np.bool_]) -> Iterator[Outline]:
    """Trace the pieces of a mask.

    Parameters
    ----------
    mask : ndarray
        ``(Y, X) bool``.

    Yields
    ------
    Outline
        In the order of each piece's first pixel. Pixels that touch by a corner only belong to separate
        pieces, so that every ring is simple.
    """
    from scipy import ndimage

    mask = np.asarray(mask, bool)
    pieces, count = ndimage.label(mask)
    exteriors: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {}
    for ring in _rings(mask):
        piece = int(pieces[_pixel_inside(ring)])
        if signed_area(ring) > 0:
            exteriors[piece] = ring
        else:
            holes.setdefault(piece, []).append(ring)
    for piece in range(1, count + 1):
        yield Outline(exteriors[piece], tuple(holes.get(piece, ())))


def signed_area(ring: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> float:
    """Return the shoelace area of a ring of ``y, x`` corners, positive where ``x`` turns towards ``y``."""
    y, x = np.asarray(ring, np.float64).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)) / 2


def _rings(mask: npt.NDArray[np.bool_]) -> Iterator[Ring]:
    """Follow the directed edges between mask and background, the mask on the right-hand side."""
    start, turn = _edges(mask)
    where = {edge: i for i, edge in enumerate(start)}
    following = [where[edge] for edge in turn]
    width = mask.shape[1] + 1
    corners = mask.shape[0] * width + width
    seen = bytearray(len(start))
    for first in range(len(start)):
        if seen[first]:
            continue
        ring, edge, last = [], first, -1
        while not seen[edge]:
            seen[edge] = 1
            direction, vertex = divmod(start[edge], corners)
            if direction != last:
                ring.append(vertex)
            edge, last = following[edge], direction
        if start[first] // corners == last:
            ring.pop(0)
        yield np.stack(np.divmod(np.array(ring, np.int64), width), axis=1)


def _edges(mask: npt.NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Return each edge (direction × corners + first corner) and the edge that follows it."""
    padded = np.pad(mask, 1)
    above, below = padded[:-1, :], padded[1:, :]
    left, right = padded[:, :-1], padded[:, 1:]
    leaving = np.zeros((4, mask.shape[0] + 1, mask.shape[1] + 1), bool)
    leaving[_EAST, :, :-1] = (below & ~above)[:, 1:-1]
    leaving[_WEST, :, 1:] = (above & ~below)[:, 1:-1]
    leaving[_SOUTH, :-1, :] = (left & ~right)[1:-1]
    leaving[_NORTH, 1:, :] = (right & ~left)[1:-1]
    direction, y, x = np.nonzero(leaving)
    end = np.stack([y, x], axis=1) + _STEP[direction]
    # Where two pieces touch by a corner, turning right stays with the same pixel.
    choices = np.stack([(direction + 1) % 4, direction, (direction + 3) % 4])
    open_ = leaving[choices, end[:, 0], end[:, 1]]
    chosen = choices[open_.argmax(axis=0), np.arange(len(direction))]
    shape = leaving.shape
    edges = np.ravel_multi_index((direction, y, x), shape)
    turns = np.ravel_multi_index((chosen, end[:, 0], end[:, 1]), shape)
    return edges.tolist(), turns.tolist()


def _pixel_inside(ring: Ring) -> tuple[int, int]:
    """Return a mask pixel beside the ring's first edge: on its right-hand side."""
    (y0, x0), (y1, x1) = ring[0].tolist(), ring[1].tolist()
    if y0 == y1:
        return (y0, x0) if x1 > x0 else (y0 - 1, x0 - 1)
    return (y0, x0 - 1) if y1 > y0 else (y0 - 1, x0)
