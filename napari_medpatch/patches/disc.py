"""Growing and shrinking masks by a disc, exact and fast for small discs and for large ones."""

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]

_SMALL_PX = 3
"""Up to this radius a footprint is faster than the distance to the next pixel."""


def grown(mask: BoolArray, radius: int) -> BoolArray:
    """Return what is at most ``radius`` pixels from a set pixel."""
    from scipy import ndimage

    if radius <= 0 or not mask.any():
        return mask.copy()
    if radius <= _SMALL_PX:
        small: BoolArray = ndimage.binary_dilation(mask, _disc(radius))
        return small
    large: BoolArray = ndimage.distance_transform_edt(~mask) <= radius
    return large


def shrunk(mask: BoolArray, radius: int) -> BoolArray:
    """Return what is more than ``radius`` pixels from every clear pixel; beyond the picture nothing is clear."""
    return ~grown(~mask, radius)


def opened(mask: BoolArray, radius: int) -> BoolArray:
    """Drop what is thinner than twice the radius; the picture's edge does not count as a limit."""
    padded = np.pad(mask, radius + 1, mode="edge")
    back = grown(shrunk(padded, radius), radius)
    return np.ascontiguousarray(back[radius + 1 : -radius - 1, radius + 1 : -radius - 1])


def closed(mask: BoolArray, radius: int) -> BoolArray:
    """Join what is nearer than twice the radius; the picture's edge counts as more of the same."""
    if radius <= 0:
        return mask
    padded = np.pad(mask, radius, mode="edge")
    back = shrunk(grown(padded, radius), radius)
    return mask | back[radius:-radius, radius:-radius]


def _disc(radius: int) -> BoolArray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc: BoolArray = y * y + x * x <= radius * radius
    return disc
