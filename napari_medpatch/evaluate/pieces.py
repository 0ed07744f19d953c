"""Pieces of a volume or picture that take a moment each, so that a job can be stopped between them."""

from typing import Any

import numpy.typing as npt

_BAND = 1_000_000


def pieces_of(array: npt.NDArray[Any]) -> list[tuple[int, int, npt.NDArray[Any]]]:
    """Return the planes of a volume, or bands of rows of a picture: what is worked at between two moments to stop.

    Returns
    -------
    list of tuple
        Plane and first row of each piece, and a view of its values, two axes.
    """
    if array.ndim == 3:
        return [(z, 0, plane) for z, plane in enumerate(array)]
    rows = max(1, _BAND // max(1, array.shape[1]))
    return [(0, y, array[y : y + rows]) for y in range(0, array.shape[0], rows)]
