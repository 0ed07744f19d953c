"""How far each pixel lies from the border of a region."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]


def signed_distance(region: Bools, spacing: Sequence[float] | None = None, far: float = np.inf) -> FloatArray:
    """Return the distance to the border of a region, positive inside.

    Parameters
    ----------
    region : ndarray of bool
        Any number of axes.
    spacing : sequence of float, optional
        Size of a pixel along each axis; pixels are the unit without it.
    far : float
        Where the region is everything (or, negated, nothing); distances are cut there.

    Returns
    -------
    ndarray
        float32, in the unit of ``spacing``.
    """
    from scipy.ndimage import distance_transform_edt

    if region.all() or not region.any():
        return np.full(region.shape, far if region.any() else -far, np.float32)
    inside = distance_transform_edt(region, sampling=spacing)
    outside = distance_transform_edt(~region, sampling=spacing)
    return np.asarray((inside - outside).clip(-far, far), np.float32)


def nearest_label(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return labels whose gaps (0) took the nearest label; unchanged if there is none."""
    from scipy.ndimage import distance_transform_edt

    if plane.all() or not plane.any():
        return plane
    nearest = distance_transform_edt(plane == 0, return_distances=False, return_indices=True)
    filled: npt.NDArray[np.uint8] = plane[tuple(nearest)]
    return filled
