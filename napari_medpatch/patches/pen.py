"""Coloured pen marks: on glass by their colour, on tissue by their shape and evenness too."""

import numpy as np
import numpy.typing as npt

from napari_medpatch.patches.disc import BoolArray, opened
from napari_medpatch.patches.ink import widened

FloatImage = npt.NDArray[np.float32]

_COLD_SEED, _RED_SEED, _GREY_SEED = 0.25, 0.45, 0.3
"""Optical density that ink must reach somewhere; its faint rim only has to have the same colour."""

_EVEN = 0.065
"""Unevenness below which ink is believed; half of real tissue is above 0.1, ink at 4 µm is near 0.02."""

_MOST_OF_TISSUE = 0.25
"""Marks on tissue that cover more of it than this are a stain."""

_SLENDER = 3.0
"""A stroke is at least this many times larger than the largest disc in it; a piece of tissue is 1 to 2."""


def unevenness(density: FloatImage) -> FloatImage:
    """Return the local spread of optical density by its local mean, slow gradients taken out.

    Parameters
    ----------
    density : ndarray
        ``(Y, X) float32``.

    Returns
    -------
    ndarray
        ``(Y, X) float32``. Nuclei and fibres make tissue uneven at a few µm per pixel; ink and shadows are
        even, and ink over tissue hides its texture because optical densities add up.
    """
    from scipy import ndimage

    rough = density - ndimage.gaussian_filter(density, 3.0)
    # A running sum of floats may end a little below zero.
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(rough * rough, 7), 0))
    uneven: FloatImage = spread / np.maximum(ndimage.uniform_filter(density, 7), 0.02)
    return uneven


def pen_marks(od: FloatImage, absorbing: BoolArray, uneven: FloatImage, stroke_px: int) -> BoolArray:
    """Find blue, green, red and grey ink, unless the slide is stained in that colour.

    Stains of tissue absorb green most (hematoxylin and eosin) or blue most (DAB). Blue and green ink
    absorb red most. So do aniline blue, light green and Alcian blue, which lie *within* tissue, while
    strokes of a pen lie mostly on glass: components are judged by what surrounds them, and where more
    of the colour lies within tissue than on glass, it is taken for a stain and kept. Red ink has the colour
    of blood and thin black ink that of some tissue, so they must look like strokes: slender and even. Strokes
    that look so are ink on tissue too.

    Parameters
    ----------
    od : ndarray
        ``(Y, X, 3) float32``, optical density against the glass.
    absorbing : ndarray
        ``(Y, X) bool``, what is darker than glass.
    uneven : ndarray
        ``(Y, X) float32``, see :func:`unevenness`.
    stroke_px : int
        Half the width of the thinnest stroke.

    Returns
    -------
    ndarray
        ``(Y, X) bool``.
    """
    density = od.max(axis=-1)
    marks = np.zeros_like(absorbing)
    for coloured, seed, on_glass_suffices in (
        (_cold(od, absorbing), _COLD_SEED, True),
        (_red(od), _RED_SEED, False),
        (_grey(od), _GREY_SEED, False),
    ):
        strokes = _grown(coloured, density > seed, stroke_px)
        if strokes.any():
            marks |= _pens(strokes, absorbing, uneven, on_glass_suffices=on_glass_suffices)
    return marks


def _cold(od: FloatImage, absorbing: BoolArray) -> BoolArray:
    red, green, blue = np.moveaxis(od, -1, 0)
    is_blue = (red > _blue_cut(red, green, absorbing) * green) & (blue < 0.5 * red)
    is_green = (green < 0.85 * red) & (green < 1.15 * blue)
    found: BoolArray = (is_blue | is_green) & (od.max(axis=-1) > 0.04)
    return found


def _red(od: FloatImage) -> BoolArray:
    """Absorbs green and blue alike and hardly any red; eosin lets blue pass, hematoxylin absorbs red."""
    red, green, blue = np.moveaxis(od, -1, 0)
    found: BoolArray = (red < 0.3 * np.maximum(green, blue)) & (blue > 0.5 * green) & (od.max(axis=-1) > 0.1)
    return found


def _grey(od: FloatImage) -> BoolArray:
    """Absorbs all colours alike, as a black marker does where its ink is thin; no dye of tissue does."""
    densest = od.max(axis=-1)
    found: BoolArray = (od.min(axis=-1) > 0.85 * densest) & (densest > 0.15)
    return found


def _grown(coloured: BoolArray, dense: BoolArray, stroke_px: int) -> BoolArray:
    from scipy import ndimage

    seeds = opened(coloured & dense, stroke_px)
    if not seeds.any():
        return seeds
    return widened(ndimage.binary_propagation(seeds, np.ones((3, 3)), mask=coloured))


def _pens(strokes: BoolArray, absorbing: BoolArray, uneven: FloatImage, *, on_glass_suffices: bool) -> BoolArray:
    """Keep the components that are ink; none if most of the colour is in tissue."""
    from scipy import ndimage

    components, count = ndimage.label(strokes, np.ones((3, 3)))
    area = np.bincount(components.ravel(), minlength=count + 1)
    shaped = _stroke_like(components, count, area, uneven)
    on_glass = _share_of_glass(components, count, absorbing) >= 0.5
    is_ink = on_glass if on_glass_suffices else on_glass & shaped
    on_tissue = shaped & ~on_glass
    if area[on_tissue].sum() <= _MOST_OF_TISSUE * (absorbing.sum() - area[is_ink].sum()):
        is_ink = is_ink | on_tissue
    if area[is_ink].sum() < area[1:][~is_ink[1:]].sum():
        return np.zeros_like(strokes)
    marks: BoolArray = is_ink[components]
    return marks


def _share_of_glass(components: npt.NDArray[np.int32], count: int, absorbing: BoolArray) -> npt.NDArray[np.float64]:
    """Return how much of what surrounds each component is glass."""
    from scipy import ndimage

    grown = ndimage.grey_dilation(components, size=(7, 7))
    ring = (grown > 0) & (components == 0)
    around = np.bincount(grown[ring], minlength=count + 1)
    glass = np.bincount(grown[ring & ~absorbing], minlength=count + 1)
    share: npt.NDArray[np.float64] = glass / np.maximum(around, 1)
    return share


def _stroke_like(
    components: npt.NDArray[np.int32], count: int, area: npt.NDArray[np.int64], uneven: FloatImage
) -> BoolArray:
    """Return which components are slender and even, in the middle of their width."""
    from scipy import ndimage

    inside = components > 0
    depth, which = ndimage.distance_transform_edt(inside)[inside], components[inside]
    deepest = np.zeros(count + 1)
    np.maximum.at(deepest, which, depth)
    middle = depth > 0.5 * deepest[which]
    index = np.arange(1, count + 1)
    even = np.r_[False, np.asarray(ndimage.median(uneven[inside][middle], which[middle], index)) < _EVEN]
    slender = area > _SLENDER * np.pi * np.maximum(deepest, 1) ** 2
    found: BoolArray = even & slender
    return found


def _blue_cut(red: FloatImage, green: FloatImage, absorbing: BoolArray) -> float:
    """Return how much red against green makes ink: less beside the pink of eosin than beside blue nuclei alone."""
    if not absorbing.any():
        return 1.1
    usual = float(np.median(red[absorbing] / np.maximum(green[absorbing], 0.01)))
    return min(max(1.6 * usual, 0.85), 1.1)
