"""Make patches of a coarser level look as if they had been resized from level 0.

WSInfer reads level 0 and lets PIL reduce it, with a triangle as wide as two output pixels. A level of the
file was reduced with a box, and its pixels lie on a grid of their own, so that a patch read at nearly the
network's resolution is a little sharper than WSInfer's and up to half a pixel out of place. Networks
notice: on real slides the mean difference of probabilities was 0.002 to 0.008. A filter of three taps, with
the variance and the shift that are missing, brings it to 0.001 to 0.003 and costs half a millisecond;
reading the next finer level would decode four times as many pixels.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

_PHASES = 64


@dataclass(frozen=True, slots=True)
class LevelFilter:
    """What to do to the patches of a level.

    Parameters
    ----------
    variance : tuple of float
        Of the missing blur along y and x, in pixels of the level, squared.
    """

    variance: tuple[float, float]

    def apply(self, pixels: npt.NDArray[np.uint8], shift: tuple[float, float]) -> npt.NDArray[np.uint8]:
        """Blur and shift a patch.

        Parameters
        ----------
        pixels : ndarray
            ``(Y + 2, X + 2, 3) uint8``, one pixel more on each side.
        shift : tuple of float
            How much further down and right the patch should have been read, -0.5…0.5 pixels.

        Returns
        -------
        ndarray
            ``(Y, X, 3) uint8``.
        """
        (top, middle, bottom), (left, centre, right) = (
            _taps(v, s) for v, s in zip(self.variance, shift, strict=True)
        )  # fmt: skip
        tall = pixels[1:-1] * middle
        tall += pixels[:-2] * top
        tall += pixels[2:] * bottom
        wide = tall[:, 1:-1] * centre
        wide += tall[:, :-2] * left
        wide += tall[:, 2:] * right
        wide += np.float32(0.5)
        np.clip(wide, 0, 255, out=wide)
        return wide.astype(np.uint8)


def level_filter(
    patch: tuple[int, int], downsample: tuple[float, ...], read: tuple[int, int], target: tuple[int, int]
) -> LevelFilter | None:
    """Return what the patches of a level need.

    Parameters
    ----------
    patch : tuple of int
        Extent in level-0 pixels, ``(y, x)``.
    downsample : tuple of float
        Of the level.
    read : tuple of int
        Extent in the level's pixels.
    target : tuple of int
        What the network sees.

    Returns
    -------
    LevelFilter or None
        None for level 0.
    """
    if max(downsample) <= 1:
        return None
    lacking = []
    for whole, factor, pixels, wanted in zip(patch, downsample, read, target, strict=True):
        level0 = triangle_variance(round(whole / wanted, 4))
        box, resize = (factor * factor - 1) / 12, factor * factor * triangle_variance(round(pixels / wanted, 4))
        lacking.append(max(0.0, (level0 - box - resize) / factor**2))
    return LevelFilter((lacking[0], lacking[1]))


@lru_cache(maxsize=256)
def triangle_variance(scale: float) -> float:
    """Return the mean variance, in input pixels squared, of PIL's bilinear filter.

    Parameters
    ----------
    scale : float
        Input pixels per output pixel; where it is 1, nothing is filtered.
    """
    if scale == 1:
        return 0.0
    width = max(scale, 1.0)
    found = []
    for phase in range(_PHASES):
        centre = (phase + 0.5) * scale
        places = np.arange(np.floor(centre - width) - 1, np.ceil(centre + width) + 2) + 0.5
        weights = np.clip(1 - np.abs(places - centre) / width, 0, None)
        weights /= weights.sum()
        found.append(weights @ places**2 - (weights @ places) ** 2)
    return float(np.mean(found))


def _taps(variance: float, mean: float) -> tuple[np.float32, np.float32, np.float32]:
    """Return weights at -1, 0 and 1 with a mean and a variance."""
    moment = variance + mean * mean
    return np.float32((moment - mean) / 2), np.float32(1 - moment), np.float32((moment + mean) / 2)
