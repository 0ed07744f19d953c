"""Blood vessels of a simulated retina, as polylines that start at the optic disc."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_STEP = 0.012
_THINNEST = 0.0009


@dataclass(frozen=True, slots=True)
class Vessel:
    """One unbranched piece.

    Parameters
    ----------
    points : (N, 2) float64
        ``(y, x)`` in diameters of the field of view, 0 in its middle.
    radii : (N - 1,) float64
        Radius of each step, same unit.
    kind : str
        ``"artery"`` or ``"vein"``.
    """

    points: NDArray[np.float64]
    radii: NDArray[np.float64]
    kind: Literal["artery", "vein"]


@dataclass(frozen=True, slots=True)
class _Bud:
    """Where a vessel is to grow: place, heading, radius, bend per step, divisions left."""

    place: NDArray[np.float64]
    heading: float
    radius: float
    bend: float
    depth: int


def grow_vessels(disc: tuple[float, float], eye: float, rng: np.random.Generator) -> list[Vessel]:
    """Grow arteries and veins from the optic disc.

    Parameters
    ----------
    disc : (y, x)
        Place of the optic disc, in diameters of the field of view.
    eye : float
        +1 if the disc lies right of the macula, else -1; the large arcades bend around the macula.
    rng : numpy.random.Generator
        Source of randomness.
    """
    widest = rng.uniform(0.0045, 0.0075)
    vessels: list[Vessel] = []
    kinds: tuple[Literal["artery", "vein"], ...] = ("artery", "vein")
    for kind in kinds:
        radius = widest * (0.75 if kind == "artery" else 1.0)
        buds = []
        for upward in (-1.0, 1.0):
            # Headings are measured from the direction of the macula.
            arcade = upward * rng.uniform(1.1, 1.5)
            nasal = upward * rng.uniform(2.0, 2.8)
            buds.append(_bud(disc, eye, arcade, radius, -upward * rng.uniform(0.018, 0.04), rng))
            buds.append(_bud(disc, eye, nasal, 0.7 * radius, rng.normal(0, 0.01), rng))
            buds.append(_bud(disc, eye, upward * rng.uniform(0.2, 0.6), 0.35 * radius, 0.0, rng))
        while buds:
            buds.extend(_grow(buds.pop(), kind, eye, vessels, rng))
    return vessels


def _bud(
    disc: tuple[float, float], eye: float, heading: float, radius: float, bend: float, rng: np.random.Generator
) -> _Bud:
    place = np.array(disc) + rng.normal(0, 0.008, 2)
    return _Bud(place, heading, radius * rng.uniform(0.85, 1.15), bend, 6)


def _grow(
    bud: _Bud, kind: Literal["artery", "vein"], eye: float, vessels: list[Vessel], rng: np.random.Generator
) -> list[_Bud]:
    """Walk until the rim or the vessel's end; return the branches left on the way."""
    points, radii, branches = [bud.place], [], []
    heading, radius, wander = bud.heading, bud.radius, rng.normal(0, 0.01)
    for step in range(int(rng.integers(10, 22)) if bud.depth < 6 else 60):
        heading += bud.bend + wander + rng.normal(0, 0.09)
        wander = 0.8 * wander + rng.normal(0, 0.02)
        move = np.array([np.sin(heading), -eye * np.cos(heading)]) * _STEP
        points.append(points[-1] + move)
        radii.append(radius)
        radius *= 0.985
        if radius < _THINNEST or np.hypot(*points[-1]) > 0.52:
            break
        if bud.depth and step > 1 and rng.random() < 0.15:
            turn = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.1)
            share = rng.uniform(0.4, 0.75)
            branches.append(_Bud(points[-1], heading + turn, radius * share, rng.normal(0, 0.02), bud.depth - 1))
            radius *= (1 - 0.5 * share**3) ** (1 / 3)
    vessels.append(Vessel(np.array(points), np.array(radii), kind))
    return branches
