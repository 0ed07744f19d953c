"""What an evaluation should find, worked out in the plainest way there is: loops over voxels and pairs of them."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Mask = np.ndarray[Any, Any]
Place = tuple[int, ...]


def faces(place: Place) -> Iterator[Place]:
    """The neighbours across faces."""
    for axis in range(len(place)):
        for step in (-1, 1):
            yield (*place[:axis], place[axis] + step, *place[axis + 1 :])


def corners(place: Place) -> Iterator[Place]:
    """The neighbours across faces, edges and corners."""
    for steps in itertools.product((-1, 0, 1), repeat=len(place)):
        if any(steps):
            yield tuple(p + s for p, s in zip(place, steps, strict=True))


def inside(mask: Mask) -> set[Place]:
    return {tuple(place) for place in np.argwhere(mask).tolist()}


def border(mask: Mask, ignored: Mask | None = None) -> list[Place]:
    """Voxels with a face neighbour outside; the outside of the image is outside, what is ignored is not."""
    solid = inside(mask) | (inside(ignored) if ignored is not None else set())
    return sorted(place for place in inside(mask) if any(other not in solid for other in faces(place)))


def away(place: Place, others: Sequence[Place], spacing: Sequence[float]) -> float:
    """Distance to the nearest of some voxels, by looking at all of them."""
    return min(
        math.sqrt(sum(((a - b) * size) ** 2 for a, b, size in zip(place, other, spacing, strict=True)))
        for other in others
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics, as written down by Hyndman and Fan (their type 7)."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@dataclass(frozen=True)
class Distances:
    """Scores of two surfaces."""

    assd: float
    hd95: float
    hd: float
    surface_dice: float


def distances(
    predicted: Mask, true: Mask, spacing: Sequence[float], tolerance: float, ignored: Mask | None = None
) -> Distances | None:
    p, t = border(predicted, ignored), border(true, ignored)
    if not p or not t:
        return None
    ways = [[away(place, t, spacing) for place in p], [away(place, p, spacing) for place in t]]
    every = ways[0] + ways[1]
    return Distances(
        assd=sum(every) / len(every),
        hd95=max(percentile(way, 0.95) for way in ways),
        hd=max(every),
        surface_dice=sum(value <= tolerance + 1e-6 for value in every) / len(every),
    )


def objects(mask: Mask, *, full: bool = False) -> list[set[Place]]:
    """Connected pieces, found by walking from voxel to voxel; in the order of their first voxel."""
    left, pieces = inside(mask), list[set[Place]]()
    for start in sorted(left):
        if start not in left:
            continue
        piece, waiting = set[Place](), [start]
        while waiting:
            place = waiting.pop()
            if place in left:
                left.remove(place)
                piece.add(place)
                waiting += [other for other in (corners if full else faces)(place) if other in left]
        pieces.append(piece)
    return pieces


@dataclass(frozen=True)
class Matched:
    """Which predicted object is which true one."""

    pairs: tuple[tuple[int, int], ...]
    missed: tuple[int, ...]
    false: tuple[int, ...]


def matched(predicted: Sequence[set[Place]], true: Sequence[set[Place]], least: float = 0.0) -> Matched:
    """Take the pair of the largest IoU again and again, until no two of those left overlap (enough)."""
    free_p, free_t, pairs = set(range(len(predicted))), set(range(len(true))), []
    while True:
        best, chosen = 0.0, None
        for p, t in itertools.product(sorted(free_p), sorted(free_t)):
            common = len(predicted[p] & true[t])
            iou = common / len(predicted[p] | true[t])
            if common and iou >= least and iou > best:
                best, chosen = iou, (p, t)
        if chosen is None:
            return Matched(tuple(pairs), tuple(sorted(free_t)), tuple(sorted(free_p)))
        pairs.append(chosen)
        free_p.remove(chosen[0])
        free_t.remove(chosen[1])


def centroid(piece: set[Place]) -> tuple[float, ...]:
    return tuple(sum(axis) / len(piece) for axis in zip(*piece, strict=True))
