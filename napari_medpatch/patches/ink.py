"""Black ink, scanner borders and other dark things that absorb light but are no tissue."""

import numpy as np
import numpy.typing as npt

from napari_medpatch.patches.disc import BoolArray, opened

_RIM_PX = 8
"""How far black may fade into grey: the blur of a stroke's edge, not the grey parts of tissue."""


def black_areas(rgb: npt.NDArray[np.float32], white: float, stroke_px: int) -> BoolArray:
    """Find black ink, unscanned black areas and dark slide borders, with their grey rim.

    Parameters
    ----------
    rgb : ndarray
        ``(Y, X, 3) float32``, 0…255.
    white : float
        Brightness of the glass.
    stroke_px : int
        Half the width of the thinnest stroke; smaller black grains are pigment.

    Returns
    -------
    ndarray
        ``(Y, X) bool``. Hematoxylin and melanin are dark but not neutral at this resolution.
    """
    from scipy import ndimage

    relative = rgb * np.float32(245 / white)
    brightest = relative.max(axis=-1)
    chroma = brightest - relative.min(axis=-1)
    seeds = opened((brightest < 88) & (chroma < 30), stroke_px)
    if not seeds.any():
        return seeds
    rim = seeds | ((brightest < 220) & (chroma < 0.15 * brightest + 4))
    grown = ndimage.binary_dilation(seeds, iterations=_RIM_PX, mask=rim)
    return widened(grown)


def widened(mask: BoolArray) -> BoolArray:
    """Add two pixels for the blurred edge."""
    from scipy import ndimage

    wide: BoolArray = ndimage.binary_dilation(mask, iterations=2)
    return wide
