"""Draw the edge of an air-filled organ where the scan shows it.

A network that works at 4 mm knows where the lungs are but not, to the millimetre, where they end; the scan
does, because lung is air and its surroundings are not. So voxels beside the network's border that it is not
sure of are decided by their own Hounsfield units. Opacities inside the organ stay as they are, the ones that the
network is half sure of too; and where the organ beside the border is opaque itself, the network's border stays.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.infer.resample import from_working
from napari_medpatch.infer.working_grid import FloatArray, WorkingGrid
from napari_medpatch.io.source import AnyArray

AIR_EDGE = "air_edge_hu"
_SURE = 0.95
"""Probability from which the network is believed; chosen on a real scan, flat between 0.9 and 0.98."""
_REACH = math.log(_SURE / (1 - _SURE))
_LIKELY = math.log(0.8 / (1 - 0.8))
"""Logit of a working voxel that is organ in all likelihood; its negative: one that might be. Chosen so that a network
which never saw a scan stays as good on aerated lung there while filled lung gains."""
_FEW = 0.3
"""Share of opaque voxels among the organ's up to which its edge is one of air."""
_OPAQUE_HU = -150.0
"""Working voxels of the organ above this hold no air to end at; half lung and half chest wall lies far below it."""


def air_edge(rules: Mapping[str, Any]) -> float | None:
    """Return the HU below which an uncertain voxel is organ, None if the model's rules do not say."""
    value = rules.get(AIR_EDGE)
    return None if value is None else float(value)


def near_border(
    relative: FloatArray, hu: FloatArray, grid: WorkingGrid, piece: Box, origin: Sequence[int]
) -> npt.NDArray[np.bool_] | None:
    """Return the voxels that lie between what may be air-filled organ and surroundings on the working grid.

    Parameters
    ----------
    relative : ndarray
        ``(C, *working)`` float32, logits of the classes minus the background's, from working index ``origin`` on.
    hu : ndarray
        ``working`` float32, the scan there.
    grid : WorkingGrid
        From the working grid to the image's.
    piece : Box
        Of the image's voxels.
    origin : sequence of int
        Where ``relative`` and ``hu`` begin.

    Returns
    -------
    ndarray or None
        ``(*piece.shape) bool``; None, everywhere, where the network works on the image's own voxels.
    """
    if grid.identity:
        return None
    likeliest = relative.max(axis=0)
    # A tip thinner than a working voxel makes the network doubt and no more.
    nodes = np.stack([likeliest > 0, likeliest > -_LIKELY, (likeliest > _LIKELY) & (hu > _OPAQUE_HU)])
    share, possible, opaque = from_working(nodes.astype(np.float32), grid, piece, origin=origin)
    return np.asarray((possible > 0) & (share < 1) & (opaque <= _FEW * share))


def sharpen_edges(
    labels: npt.NDArray[np.uint8],
    relative: FloatArray,
    hu: AnyArray,
    below: float,
    near: npt.NDArray[np.bool_] | None = None,
) -> None:
    """Decide the voxels that the network is not sure of by their values; in place.

    Parameters
    ----------
    labels : ndarray
        ``(Z, Y, X)`` uint8, 0 background, 1… classes.
    relative : ndarray
        ``(C, Z, Y, X)`` float32, logits of the classes minus the background's.
    hu : ndarray
        ``(Z, Y, X)`` of the scan, HU.
    below : float
        Air-filled tissue lies below this value.
    near : ndarray, optional
        ``(Z, Y, X) bool``, where to look; everywhere by default.
    """
    unsure = np.abs(relative.max(axis=0)) < _REACH
    if near is not None:
        unsure &= near
    air = hu < below
    labels[unsure & ~air] = 0
    found = unsure & air
    labels[found] = relative[:, found].argmax(axis=0) + 1
