"""Pen marks, scanner borders and other dark things that absorb light but are no tissue."""

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]

_SEED_OD = 0.25
"""Ink must absorb this much somewhere; its faint rim only has to have the same colour."""

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
    seeds = _opened((brightest < 88) & (chroma < 30), stroke_px)
    if not seeds.any():
        return seeds
    rim = seeds | ((brightest < 220) & (chroma < 0.15 * brightest + 4))
    grown = ndimage.binary_dilation(seeds, iterations=_RIM_PX, mask=rim)
    return _widened(grown)


def coloured_ink(od: npt.NDArray[np.float32], absorbing: BoolArray, stroke_px: int) -> BoolArray:
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
    stroke_px : int
        Half the width of the thinnest stroke.

    Returns
    -------
    ndarray
        ``(Y, X) bool``.
    """
    from scipy import ndimage

    red, green, blue = np.moveaxis(od, -1, 0)
    is_blue = (red > _blue_cut(red, green, absorbing) * green) & (blue < 0.5 * red)
    is_green = (green < 0.85 * red) & (green < 1.15 * blue)
    coloured = (is_blue | is_green) & (od.max(axis=-1) > 0.04)
    seeds = _opened(coloured & (od.max(axis=-1) > _SEED_OD), stroke_px)
    if not seeds.any():
        return seeds
    grown = ndimage.binary_propagation(seeds, np.ones((3, 3)), mask=coloured)
    return _on_glass(_widened(grown), absorbing)


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


def _blue_cut(red: npt.NDArray[np.float32], green: npt.NDArray[np.float32], absorbing: BoolArray) -> float:
    """Return how much red against green makes ink: less beside the pink of eosin than beside blue nuclei alone."""
    if not absorbing.any():
        return 1.1
    usual = float(np.median(red[absorbing] / np.maximum(green[absorbing], 0.01)))
    return min(max(1.6 * usual, 0.85), 1.1)


def _opened(mask: BoolArray, radius: int) -> BoolArray:
    """Drop what is thinner than twice the radius; the picture's edge does not count as a limit."""
    from scipy import ndimage

    padded = np.pad(mask, radius + 1, mode="edge")
    core = ndimage.distance_transform_edt(padded) > radius
    if not core.any():
        return np.zeros_like(mask)
    opened = ndimage.distance_transform_edt(~core) <= radius
    return np.ascontiguousarray(opened[radius + 1 : -radius - 1, radius + 1 : -radius - 1])


def _widened(mask: BoolArray) -> BoolArray:
    """Add two pixels for the blurred edge."""
    from scipy import ndimage

    wide: BoolArray = ndimage.binary_dilation(mask, iterations=2)
    return wide
