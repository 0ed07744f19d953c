"""Branching trees of the lung and the skeleton, as lists of tapered tubes."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.samples.shapes import Segment
from napari_medpatch.samples.thorax_anatomy import Anatomy

Vector = NDArray[np.float64]


def _segment(start: Vector, end: Vector, first: float, last: float) -> Segment:
    return Segment(tuple(start.tolist()), tuple(end.tolist()), (first, last))


def hilum(anatomy: Anatomy, side: int) -> Vector:
    """Return where bronchi and vessels enter the lung of ``side`` (+1 left), (z, y, x) in mm."""
    return np.array([0.12 * anatomy.apex - 8 * side, 0.08 * anatomy.depth, side * (anatomy.mediastinum + 8.0)])


def airways(anatomy: Anatomy) -> list[Segment]:
    """Return trachea and main bronchi, outside the lungs."""
    carina = np.array([0.35 * anatomy.apex, 0.05 * anatomy.depth, 0.0])
    throat = np.array([anatomy.apex + 260.0, -0.15 * anatomy.depth, 0.0])
    radius = 0.065 * anatomy.width
    tubes = [_segment(throat, carina, radius, radius)]
    return tubes + [_segment(carina, hilum(anatomy, side), 0.8 * radius, 0.6 * radius) for side in (-1, 1)]


def lung_tree(anatomy: Anatomy, side: int, radius: float, generations: int, rng: np.random.Generator) -> list[Segment]:
    """Grow a tree from the hilum that fills one side of the chest and stays off the wall.

    Parameters
    ----------
    anatomy : Anatomy
        Whose chest.
    side : int
        +1 left, -1 right.
    radius : float
        Of the first branches, mm.
    generations : int
        Number of divisions.
    rng : numpy.random.Generator
        Source of randomness.
    """
    root = hilum(anatomy, side)
    length = 0.36 * anatomy.width
    targets = [np.array([rise, back, side * 0.7]) for rise, back in ((0.9, 0.1), (0.1, -0.6), (-0.5, 0.2), (-0.9, 0.5))]
    grown: list[Segment] = []
    buds = [(root, target / np.linalg.norm(target), length, radius) for target in targets]
    for _ in range(generations):
        buds = [bud for parent in buds for bud in _divide(anatomy, parent, side, grown, rng)]
    return grown


def _divide(
    anatomy: Anatomy,
    bud: tuple[Vector, Vector, float, float],
    side: int,
    grown: list[Segment],
    rng: np.random.Generator,
) -> list[tuple[Vector, Vector, float, float]]:
    """Add one branch to ``grown`` and return its two children, none where it would leave the lung."""
    start, heading, length, radius = bud
    reaches = [length * rng.uniform(0.8, 1.2) * share for share in (1.0, 0.5, 0.25)]
    ends = [start + heading * reach for reach in reaches]
    end = next((e for e in ends if anatomy.inside_cavity(e) < -3 and e[2] * side > 4), None)
    if radius < 0.5 or end is None:
        return []
    grown.append(_segment(start, end, radius, 0.8 * radius))
    children = []
    for _ in range(2):
        turned = heading + rng.normal(0, 0.55, 3)
        children.append((end, turned / np.linalg.norm(turned), 0.76 * length, 0.78 * radius))
    return children


def ribs(anatomy: Anatomy) -> list[Segment]:
    """Return twelve pairs of ribs that slope down towards the front."""
    tubes: list[Segment] = []
    step = (anatomy.apex - anatomy.bottom) / 10.5
    for number in range(12):
        back = anatomy.apex + 5 - number * step
        reach = 1.0 if number < 9 else 0.65
        for side in (-1, 1):
            points = [_rib_point(anatomy, back, angle, side, 3.2 * step) for angle in np.linspace(0.1, 2.6 * reach, 10)]
            tubes += [_segment(a, b, 4.5, 4.5) for a, b in pairwise(points)]
    return tubes


def _rib_point(anatomy: Anatomy, back: float, angle: float, side: int, drop: float) -> Vector:
    """Return a point of the rib: ``angle`` 0 at the spine, pi at the breastbone."""
    height = back - drop * (angle / np.pi) ** 1.3
    half_width, half_depth = anatomy.cavity_radii(np.full(1, height, np.float32))
    # The cavity is squarer than an ellipse; the same power keeps the ribs on its wall.
    power = 2 / anatomy.squareness
    back_share = np.sign(np.cos(angle)) * abs(np.cos(angle)) ** power
    side_share = abs(np.sin(angle)) ** power
    across = max((float(half_width[0]) + 6) * side_share, 14.0)
    return np.array([height, (float(half_depth[0]) + 6) * back_share, side * across])


def girdle(anatomy: Anatomy) -> list[Segment]:
    """Return collar bones, shoulder blades and breastbone."""
    top, tubes = anatomy.apex, []
    front = -float(anatomy.cavity_radii(np.full(1, 0.3 * top, np.float32))[1][0]) - 8
    tubes.append(_segment(np.array([0.75 * top, 0.8 * front, 0]), np.array([-0.2 * top, front, 0]), 8, 7))
    for side in (-1, 1):
        joint = np.array([top + 5, -0.1 * anatomy.depth, side * (anatomy.width + 25)])
        tubes.append(_segment(np.array([0.8 * top, 0.75 * front, side * 20.0]), joint, 6, 6))
        blade = np.array([0.1 * top, 1.02 * anatomy.depth, side * 0.8 * anatomy.width])
        tubes += [_segment(joint, blade, 7, 4), _segment(joint + np.array([-10, 40, -side * 20]), blade, 5, 4)]
    return tubes
