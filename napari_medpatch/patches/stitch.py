"""Put the scores of single patches back on their grid."""

import numpy as np
import numpy.typing as npt

from napari_medpatch.io.scores import winners

Map = npt.NDArray[np.float32]


def empty_map(rows: int, cols: int, classes: int) -> Map:
    """Return a ``(rows, cols, classes) float32`` map of NaN (not scored)."""
    return np.full((rows, cols, classes), np.nan, np.float32)


def scatter(probabilities: Map, cells: npt.NDArray[np.int64], values: npt.NDArray[np.float32]) -> None:
    """Write scores into a map, in place.

    Parameters
    ----------
    probabilities : ndarray
        ``(rows, cols, C) float32``.
    cells : ndarray
        ``(N, 2) int64``, row and column.
    values : ndarray
        ``(N, C) float32``.
    """
    probabilities[cells[:, 0], cells[:, 1]] = values


def gather(probabilities: Map, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the ``(N, C)`` scores of ``cells``."""
    values: npt.NDArray[np.float32] = probabilities[cells[:, 0], cells[:, 1]]
    return values


def class_map(probabilities: Map, threshold: float | None = None) -> npt.NDArray[np.uint8]:
    """Return the class of each cell as a mask: 0 none, 1… classes.

    Parameters
    ----------
    probabilities : ndarray
        ``(rows, cols, C) float32``, NaN where nothing was scored.
    threshold : float, optional
        As in :func:`napari_medpatch.io.scores.winners`.

    Returns
    -------
    ndarray
        ``(rows, cols) uint8``.
    """
    return (winners(probabilities, threshold) + 1).astype(np.uint8)
