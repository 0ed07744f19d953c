"""Pen marks, scanner borders and other dark things that absorb light but are no tissue."""

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]

_SEED_OD = 0.25
"""Ink must absorb this much somewhere; its faint rim only has to have the same colour."""


def black_areas(rgb: npt.NDArray[np.float32], absorbing: BoolArray) -> BoolArray:
    """Find black ink, unscanned black areas and dark slide borders, with their grey rim.

    Parameters
    ----------
    rgb : ndarray
        ``(Y, X, 3) float32``, 0…255.
    absorbing : ndarray
        ``(Y, X) bool``, what is darker than glass.

    Returns
    -------
    ndarray
        ``(Y, X) bool``. Hematoxylin and melanin are dark but not neutral at this resolution.
    """
    from scipy import ndimage

    brightest = rgb.max(axis=-1)
    chroma = brightest - rgb.min(axis=-1)
    seeds = ndimage.binary_opening((brightest < 70) & (chroma < 30), iterations=1, border_value=1)
    rim = seeds | (absorbing & (chroma < 0.15 * brightest + 4))
    return _spread(seeds, rim)


def coloured_ink(od: npt.NDArray[np.float32], absorbing: BoolArray) -> BoolArray:
    """Find blue and green ink by its absorption, unless the slide is stained in that colour.

    Stains of tissue absorb green most (hematoxylin and eosin) or blue most (DAB). Blue and green ink
    absorb red most. So do aniline blue, light green and Alcian blue, which lie *within* tissue, while
    strokes of a pen lie mostly on glass: components are judged by what surrounds them, and where more
    of the colour lies within tissue than on glass, it is taken for a stain and kept.

    Parameters
    ----------
    od : ndarray
        ``(Y, X, 3) float32``, optical density against the glass.
    absorbing : ndarray
        ``(Y, X) bool``, what is darker than glass.

    Returns
    -------
    ndarray
        ``(Y, X) bool``.
    """
    from scipy import ndimage

    red, green, blue = np.moveaxis(od, -1, 0)
    is_blue = (red > 1.1 * green) & (blue < 0.5 * red)
    is_green = (green < 0.85 * red) & (green < 0.95 * blue)
    coloured = (is_blue | is_green) & (od.max(axis=-1) > 0.04)
    seeds = ndimage.binary_opening(coloured & (od.max(axis=-1) > _SEED_OD), iterations=1)
    strokes = _spread(seeds, coloured)
    if not strokes.any():
        return strokes
    return _on_glass(strokes, absorbing)


def _on_glass(strokes: BoolArray, absorbing: BoolArray) -> BoolArray:
    """Keep the components whose surroundings are mostly glass; none if most of the colour is in tissue."""
    from scipy import ndimage

    components, count = ndimage.label(strokes, np.ones((3, 3)))
    grown = ndimage.grey_dilation(components, size=(7, 7))
    ring = (grown > 0) & ~strokes
    around = np.bincount(grown[ring], minlength=count + 1)
    glass = np.bincount(grown[ring & ~absorbing], minlength=count + 1)
    area = np.bincount(components.ravel(), minlength=count + 1)
    is_ink = glass >= 0.5 * np.maximum(around, 1)
    is_ink[0] = False
    if area[is_ink].sum() < area[1:][~is_ink[1:]].sum():
        return np.zeros_like(strokes)
    kept: BoolArray = is_ink[components]
    return kept


def _spread(seeds: BoolArray, within: BoolArray) -> BoolArray:
    """Grow seeds through connected pixels of ``within``, then by two pixels for the blurred edge."""
    from scipy import ndimage

    if not seeds.any():
        return seeds
    grown = ndimage.binary_propagation(seeds, np.ones((3, 3)), mask=within)
    spread: BoolArray = ndimage.binary_dilation(grown, iterations=2)
    return spread
