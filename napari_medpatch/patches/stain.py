"""Tell stained tissue from glass in a low-resolution picture."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.patches.disc import BoolArray, closed
from napari_medpatch.patches.ink import black_areas
from napari_medpatch.patches.pen import pen_marks, unevenness

_PLAIN_WHITE = 245.0
"""Taken for the glass of a field that shows none."""

_SHADOW = 0.04
"""Unevenness of optical density below which grey is a shadow."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Sizes below which shapes are not believed, in pixels of the overview.

    Parameters
    ----------
    speck_px2, hole_px2 : float
        Area of the smallest piece of tissue that is kept, and of the largest hole that is filled.
    close_px : int
        Radius that joins neighbouring pieces (fibres, nuclei of a pale section).
    stroke_px : int
        Half the width of the thinnest pen stroke.
    """

    speck_px2: float
    hole_px2: float
    close_px: int
    stroke_px: int


def stained_steps(rgb: npt.NDArray[np.float32], cleaning: Cleaning) -> Iterator[BoolArray | None]:
    """Segment tissue: optical density and saturation together, ink and black borders taken out.

    Parameters
    ----------
    rgb : ndarray
        ``(Y, X, 3) float32``, 0…255, at a few µm per pixel.
    cleaning : Cleaning
        Sizes of specks and holes.

    Yields
    ------
    ndarray or None
        None now and then, so that the caller may stop; ``(Y, X) bool`` at last.

    Notes
    -----
    Otsu's threshold of optical density and of saturation splits nuclei from stroma where a field shows
    no glass, and noise from noise where it shows nothing else; both are therefore held to a range. WSInfer
    uses the fixed saturation 7/255, which takes grey and tinted glass for tissue.
    """
    from scipy import ndimage

    # Plane by plane in memory: maxima over the colours are then as fast as sums.
    planes = np.empty((3, *rgb.shape[:2]), np.float32)
    for channel in range(3):
        ndimage.gaussian_filter(rgb[..., channel], 1.0, output=planes[channel])
    smooth = np.moveaxis(planes, 0, -1)
    yield None
    white = glass_colour(smooth)
    od = np.maximum(-np.log10((smooth + 1) / (white + 1)), 0).astype(np.float32)
    density = od.max(axis=-1)
    brightest = smooth.max(axis=-1)
    saturation = (brightest - smooth.min(axis=-1)) / np.maximum(brightest, 1)
    glass_saturation = float(np.ptp(white) / white.max())

    yield None
    black = black_areas(smooth, float(white.mean()), cleaning.stroke_px)
    yield None
    some = thinned(density)
    density_cut = _held(0.7 * _otsu(density[some][~black[some]]), 0.04, 0.10)
    saturation_cut = 0.6 * _held(0.7 * _otsu(saturation[some][~black[some]]), glass_saturation + 0.03, 0.08)
    uneven = unevenness(density)
    # What is grey may be tissue without colour, but not if it is as even as a shadow.
    grey = (density > 0.2) & (uneven > _SHADOW)
    absorbing = (density > density_cut) & ((saturation > saturation_cut) | grey) & ~black
    yield None
    marks = pen_marks(od, absorbing, uneven, cleaning.stroke_px)
    yield None
    yield cleaned(absorbing & ~marks, cleaning)


def glass_colour(rgb: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the colour of empty glass: the brightest well-filled peak of the bright, nearly grey pixels.

    Parameters
    ----------
    rgb : ndarray
        ``(Y, X, 3) float32``, 0…255.

    Returns
    -------
    ndarray
        ``(3,) float32``; a plain white where the picture shows no glass.
    """
    rgb = rgb[thinned(rgb[..., 0])]
    darkest = rgb.min(axis=-1)
    candidates = rgb[(darkest > 170) & (rgb.max(axis=-1) - darkest < 25)]
    if len(candidates) < max(16, 0.002 * darkest.size):
        return np.full(3, _PLAIN_WHITE, np.float32)
    brightness = candidates.mean(axis=-1)
    histogram = np.convolve(np.bincount(brightness.astype(np.int64), minlength=256), np.ones(5), "same")
    peak = int(np.flatnonzero(histogram >= 0.3 * histogram.max())[-1])
    near = np.abs(brightness - peak) <= 3
    white: npt.NDArray[np.float32] = np.median(candidates[near], axis=0).astype(np.float32)
    return white


def cleaned(mask: BoolArray, cleaning: Cleaning) -> BoolArray:
    """Join close pieces, drop specks and fill small holes.

    Parameters
    ----------
    mask : ndarray
        ``(Y, X) bool``.
    cleaning : Cleaning
        Sizes in pixels of the mask.
    """
    mask = closed(mask, cleaning.close_px)
    mask = drop_small(mask, cleaning.speck_px2)
    return ~drop_small(~mask, cleaning.hole_px2)


def drop_small(mask: BoolArray, area_px2: float) -> BoolArray:
    """Clear 4-connected components smaller than an area.

    Parameters
    ----------
    mask : ndarray
        ``(Y, X) bool``.
    area_px2 : float
        Components of at least this many pixels stay.
    """
    from scipy import ndimage

    components, count = ndimage.label(mask)
    big = np.bincount(components.ravel(), minlength=count + 1) >= area_px2
    big[0] = False
    kept: BoolArray = big[components]
    return kept


def thinned(picture: npt.NDArray[np.float32]) -> tuple[slice, slice]:
    """Return every n-th row and column, about a million pixels in all: enough for a threshold."""
    step = max(1, round((picture.size / 1_000_000) ** 0.5))
    return slice(None, None, step), slice(None, None, step)


def _otsu(values: npt.NDArray[np.float32]) -> float:
    """Return Otsu's threshold, infinity where there is nothing to split."""
    from skimage.filters import threshold_otsu

    if values.size == 0 or float(np.ptp(values)) == 0.0:
        return float("inf")
    return float(threshold_otsu(values))


def _held(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))
