"""YCbCr to RGB in whole numbers, for codecs that leave that to the reader (Aperio's JPEG 2000, compression 33003)."""

import functools
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from napari_medpatch.io.tile_cache import Tile

Table: TypeAlias = npt.NDArray[np.int32]


def ycbcr_to_rgb(pixels: Tile) -> Tile:
    """Convert as OpenSlide does, bit for bit (ITU-R BT.601, full range, 16 fractional bits).

    Parameters
    ----------
    pixels : ndarray
        ``(Y, X, 3) uint8``: luma, blue difference, red difference, both around 128.

    Returns
    -------
    ndarray
        ``(Y, X, 3) uint8``, C-contiguous.
    """
    red, green_blue, green_red, blue = _tables()
    luma, cb, cr = pixels[..., 0].astype(np.int32), pixels[..., 1], pixels[..., 2]
    green = (green_blue[cb] + green_red[cr]) >> 16
    rgb = np.stack([luma + red[cr], luma + green, luma + blue[cb]], axis=-1)
    clipped: Tile = np.clip(rgb, 0, 255).astype(np.uint8)
    return clipped


@functools.cache
def _tables() -> tuple[Table, Table, Table, Table]:
    """Return what each difference adds to red, green (twice, times 65536) and blue."""
    difference = np.arange(-128, 128)
    half = 1 << 15
    red = (round(1.402 * 65536) * difference + half) >> 16
    blue = (round(1.772 * 65536) * difference + half) >> 16
    # OpenSlide's green differs from libjpeg's in the last bit of a few colours: its products are cut, not rounded.
    green_blue = np.trunc(-0.34414 * 65536 * difference) + half
    green_red = np.trunc(-0.71414 * 65536 * difference)
    return red.astype(np.int32), green_blue.astype(np.int32), green_red.astype(np.int32), blue.astype(np.int32)
