"""Air in a CT volume: around the patient, and inside."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.clean.ball import Ball
from napari_medpatch.infer.clean.pieces import Pieces
from napari_medpatch.infer.clean.work import Bools
from napari_medpatch.infer.working_grid import FloatArray

_LUNG_ABOVE = -930.0
"""Median HU from which air at the edge of the picture may be lung that the field of view cuts."""
_DARKEST = -970.0
_TISSUE = -300.0
_TABLE_MM = 4.0


@dataclass(frozen=True, slots=True)
class Air:
    """Where air is.

    Parameters
    ----------
    inside : ndarray
        ``(Z, Y, X)`` bool: air that is not around the patient.
    outside : ndarray
        ``(Z, Y, X)`` bool: air around the patient.
    beyond : ndarray
        ``(Z, Y, X)`` bool: what lies beyond a round field of view.
    level : float
        HU of the air around the patient, -1000 where there is none.
    """

    inside: Bools
    outside: Bools
    beyond: Bools
    level: float


def find_air(hu: FloatArray, below: float) -> Generator[float, None, Air]:
    """Tell air around the patient from air inside, slice by slice.

    In a slice nothing connects the two, as mouth and nose do in the volume. Air that reaches the edge of the
    picture is around the patient, unless it is as dense as lung: a narrow field of view cuts lungs.

    Parameters
    ----------
    hu : ndarray
        ``(Z, Y, X)`` float32, HU.
    below : float
        What counts as air.

    Yields
    ------
    float
        Share done.
    """
    air = hu < below
    beyond, outside = _beyond(hu), np.zeros_like(air)
    samples: list[npt.NDArray[np.float32]] = []
    for z, plane in enumerate(air):
        outside[z] = _around(plane, hu[z], beyond[z])
        samples.append(hu[z][outside[z]][::97])
        yield (z + 1) / len(air)
    values = np.concatenate(samples)
    # The darkest part: cushions under the patient are around the patient too.
    level = min(_DARKEST, float(np.percentile(values, 20))) if len(values) else -1000.0
    return Air(air & ~outside & ~beyond, outside, beyond, level)


def find_trunk(hu: FloatArray, edge_mm: float) -> Generator[float, None, Bools]:
    """Return the patient with everything inside, without table and cushions.

    Parameters
    ----------
    hu : ndarray
        ``(Z, Y, X)`` float32, HU.
    edge_mm : float
        Of a voxel.

    Yields
    ------
    float
        Share done.
    """
    from scipy.ndimage import binary_fill_holes

    ball = Ball(_TABLE_MM, (edge_mm,) * 3)
    tissue = hu > _TISSUE
    opened = np.zeros_like(tissue)
    for rows, part in ball.filtered(tissue, ball.opened, 2):
        opened[rows] = part
        yield 0.5 * rows.stop / len(hu)
    pieces = Pieces(opened)
    for share in pieces.find():
        yield 0.5 + 0.2 * share
    largest = pieces.largest(1)
    body = np.zeros_like(tissue)
    for rows, number in pieces.numbered():
        body[rows] = largest[number]
    for z in range(len(body)):
        body[z] = binary_fill_holes(body[z])
        yield 0.7 + 0.3 * (z + 1) / len(body)
    return body


def _beyond(hu: FloatArray) -> Bools:
    """Return what lies beyond a round field of view: the one value that fills the corners of all slices."""
    from scipy.ndimage import label

    result = np.zeros(hu.shape, bool)
    corners = hu[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    value = float(np.median(corners))
    same = np.abs(hu - value) < 0.5
    for z in range(len(hu)):
        numbers, _ = label(same[z])
        found = np.unique(numbers[[0, 0, -1, -1], [0, -1, 0, -1]])
        result[z] = np.isin(numbers, found[found > 0])
    return result


def _around(air: Bools, hu: FloatArray, beyond: Bools) -> Bools:
    """Return the air of one slice that is around the patient."""
    from scipy.ndimage import binary_dilation, label, labeled_comprehension

    free = air & ~beyond
    numbers, count = label(free)
    edge = binary_dilation(beyond, iterations=2)
    edge[[0, -1]] = True
    edge[:, [0, -1]] = True
    found = np.unique(numbers[edge])
    found = found[found > 0]
    if not len(found):
        return np.zeros_like(air)
    medians = labeled_comprehension(hu, numbers, found, np.median, float, 0.0)
    table = np.zeros(count + 1, bool)
    table[found[medians < _LUNG_ABOVE]] = True
    return np.asarray(table[numbers])
