"""Where the slices of a stack lie: evenly, with gaps, or not on one grid.

*Evenly* means that no slice is further than a fifth of the slice distance from its place. A *gap* is where a few
slices of an even grid are missing; the others keep their true positions. What is not one grid falls into *runs*
of even distance, which are volumes of their own: no slice is ever moved to where it was not taken.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SAME_MM = 1e-3
"""Slices nearer to each other than this are at one place."""
_TOLERANCE = 0.2
_LONGEST_GAP = 3
_FEW = 2
_MOST_RUNS = 6
_SHORT = 3


@dataclass(frozen=True, slots=True)
class Lattice:
    """Slices on an even grid.

    Parameters
    ----------
    places : tuple of int
        Place of each slice on the grid, from 0, growing; numbers left out are missing slices.
    step : float
        Distance of neighbouring places in mm; 0 for a single slice.
    deviation : float
        Largest distance of a slice from its place, in mm.
    """

    places: tuple[int, ...]
    step: float
    deviation: float

    @property
    def missing(self) -> tuple[int, ...]:
        """Places without a slice."""
        return tuple(sorted(set(range(self.places[-1] + 1)) - set(self.places)))


def even_runs(distances: Floats) -> list[slice] | None:
    """Divide slices into runs that lie on an even grid each.

    Parameters
    ----------
    distances : ndarray
        (N,), positions along the normal in mm, strictly growing.

    Returns
    -------
    list of slice or None
        In order, together all slices; None if the distances follow no rule.
    """
    runs = _steady(distances)
    merged = [runs[0]]
    for run in runs[1:]:
        together = slice(merged[-1].start, run.stop)
        if lattice(distances[together]) is not None:
            merged[-1] = together
        else:
            merged.append(run)
    short = sum(run.stop - run.start < _SHORT for run in merged)
    return merged if len(merged) == 1 or (len(merged) <= _MOST_RUNS and short <= 1) else None


def lattice(distances: Floats) -> Lattice | None:
    """Return the grid that slices lie on, None if there is none or too much of it is missing.

    Parameters
    ----------
    distances : ndarray
        (N,), in mm, strictly growing.
    """
    count = len(distances)
    if count < 2:
        return Lattice((0,) * count, 0.0, 0.0)
    steps = np.rint(np.diff(distances) / _usual(distances))
    if steps.min() < 1 or steps.max() > _LONGEST_GAP + 1:
        return None
    places = np.concatenate([[0.0], np.cumsum(steps)])
    if places[-1] + 1 - count > max(_FEW, count // 10):
        return None
    step = float((distances[-1] - distances[0]) / places[-1])
    deviation = float(np.abs(distances - distances[0] - step * places).max())
    if deviation > _TOLERANCE * step:
        return None
    return Lattice(tuple(int(p) for p in places), step, deviation)


def _usual(distances: Floats) -> float:
    """Return the usual distance of neighbours: the lower median, which half of gaps cannot move."""
    gaps = np.sort(np.diff(distances))
    return float(gaps[(len(gaps) - 1) // 2])


def _steady(distances: Floats) -> list[slice]:
    """Cut where the distance of neighbours changes."""
    runs, start = [], 0
    for n in range(2, len(distances)):
        wanted = distances[start + 1] - distances[start]
        if n - start >= 2 and abs(distances[n] - distances[n - 1] - wanted) > _TOLERANCE * wanted:
            runs.append(slice(start, n))
            start = n
    return [*runs, slice(start, len(distances))]
