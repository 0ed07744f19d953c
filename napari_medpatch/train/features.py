"""Multi-scale filter responses of an image, for the forest."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
SCALES = (0.7, 1.5, 3.0, 6.0)


def filter_bank(image: FloatArray, scales: Sequence[float] = SCALES) -> FloatArray:
    """Return one row of features per pixel.

    Intensity, Gaussian, gradient magnitude and Laplacian at each scale, as ilastik and Labkit do; for
    colour also each channel's Gaussian.

    Parameters
    ----------
    image : ndarray
        ``(C, *spatial)`` float32.
    scales : sequence of float
        Standard deviations in pixels.

    Returns
    -------
    ndarray
        ``(pixels, features)`` float32.
    """
    grey = image.mean(axis=0)
    columns = [grey]
    for scale in scales:
        columns += _responses(grey, scale)
        if len(image) > 1:
            columns += [_smooth(channel, scale) for channel in image]
    return np.stack([column.reshape(-1) for column in columns], axis=1).astype(np.float32, copy=False)


def positions(shape: Sequence[int]) -> FloatArray:
    """Return ``(pixels, axes)`` float32: where each pixel lies."""
    grid = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij")
    return np.stack([axis.reshape(-1) for axis in grid], axis=1)


def _smooth(image: FloatArray, scale: float) -> FloatArray:
    from scipy.ndimage import gaussian_filter

    result: FloatArray = gaussian_filter(image, scale, truncate=3.0)
    return result


def _responses(image: FloatArray, scale: float) -> list[FloatArray]:
    """Return Gaussian, gradient magnitude and Laplacian."""
    smooth = _smooth(image, scale)
    # An axis of one pixel has no slope.
    axes = [axis for axis, size in enumerate(image.shape) if size > 1]
    slopes = [np.gradient(smooth, axis=axis) for axis in axes]
    if not slopes:
        return [smooth]
    magnitude = np.sqrt(sum(slope * slope for slope in slopes))
    laplacian = sum(np.gradient(slope, axis=axis) for slope, axis in zip(slopes, axes, strict=True))
    return [smooth, magnitude, np.asarray(laplacian)]
