"""WSInfer's own tissue segmentation, pixel by pixel (``wsinfer/patchlib``, version 0.6, Apache-2.0).

Computed without OpenCV: a median of zeros and ones is a majority, which a box filter counts.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from napari_medpatch.io.source import Source, finest_level_at_least
from napari_medpatch.patches.disc import BoolArray
from napari_medpatch.patches.overview import Overview, read_overview
from napari_medpatch.patches.stain import drop_small
from napari_medpatch.patches.tissue import TissueMask

THUMBNAIL_PX = 2048
MEDIAN_PX = 7
SATURATION = 7
CLOSING_PX = 6
OBJECT_UM2 = 200.0**2
HOLE_UM2 = 190.0**2
_UNKNOWN_OBJECT_PX, _UNKNOWN_HOLE_PX = 512, 1024


def wsinfer_steps(source: Source) -> Iterator[float | TissueMask]:
    """Yield the finished fraction after each block and the mask at last.

    Parameters
    ----------
    source : Source
        A slide. Areas are in µm² by the mean pixel size; without one, WSInfer's defaults of 512 and 1024
        pixels of the thumbnail are used.
    """
    shape = source.levels[0].shape
    thumbnail: npt.NDArray[np.uint8] | None = None
    for step in _thumbnail_steps(source):
        if isinstance(step, float):
            yield step
        else:
            thumbnail = step
    assert thumbnail is not None
    downsample = (shape[0] / thumbnail.shape[0], shape[1] / thumbnail.shape[1])
    least, hole = _UNKNOWN_OBJECT_PX, _UNKNOWN_HOLE_PX
    if source.spacing is not None:
        pixel_um2 = (source.spacing.mean * sum(downsample) / 2) ** 2
        least, hole = round(OBJECT_UM2 / pixel_um2), round(HOLE_UM2 / pixel_um2)
    yield TissueMask(wsinfer_mask(thumbnail, least, hole), downsample, outlined=True)


def wsinfer_mask(rgb: npt.NDArray[np.uint8], object_px: int = 512, hole_px: int = 1024) -> BoolArray:
    """Segment a thumbnail as WSInfer's ``segment_tissue`` does.

    Parameters
    ----------
    rgb : ndarray
        ``(Y, X, 3) uint8``.
    object_px, hole_px : int
        Smaller pieces are dropped, smaller holes filled; in pixels.

    Returns
    -------
    ndarray
        ``(Y, X) bool``.
    """
    from scipy import ndimage

    coloured = (_saturation(rgb) > SATURATION).astype(np.float32)
    share = ndimage.uniform_filter(coloured, MEDIAN_PX, mode="nearest")
    mask = share > 0.5
    for turn in ((CLOSING_PX, 1), (1, CLOSING_PX)):
        mask = ndimage.binary_dilation(mask, np.ones(turn, bool))
    for turn in ((CLOSING_PX, 1), (1, CLOSING_PX)):
        mask = ndimage.binary_erosion(mask, np.ones(turn, bool), border_value=1)
    return ~drop_small(~drop_small(mask, object_px), hole_px)


def _saturation(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return HSV saturation, 0…255, rounded by the fixed-point division of OpenCV."""
    brightest = rgb.max(axis=-1).astype(np.int32)
    spread = brightest - rgb.min(axis=-1)
    inverse = np.rint((255 << 12) / np.maximum(np.arange(256), 1)).astype(np.int32)
    inverse[0] = 0
    saturation: npt.NDArray[np.int32] = (spread * inverse[brightest] + (1 << 11)) >> 12
    return saturation


def _thumbnail_steps(source: Source) -> Iterator[float | npt.NDArray[np.uint8]]:
    """Yield progress and at last what OpenSlide's ``get_thumbnail((2048, 2048))`` gives, in bounded memory.

    PIL averages whole blocks of pixels first and resizes what is left by Lanczos' filter; the first step
    is done here while reading.
    """
    from PIL import Image

    height, width = source.levels[0].shape
    wanted = max(height / THUMBNAIL_PX, width / THUMBNAIL_PX)
    level = source.levels[finest_level_at_least(source, wanted)]
    size = _fitted(level.shape[1], level.shape[0])
    block = max(1, min(int(level.shape[0] / size[1] / 2), int(level.shape[1] / size[0] / 2)))
    overview: Overview | None = None
    for step in read_overview(source, max(level.downsample) * block):
        if isinstance(step, Overview):
            overview = step
        else:
            yield step
    assert overview is not None
    pixels = Image.fromarray(np.floor(overview.rgb + 0.5).astype(np.uint8))
    if pixels.size != size:
        part = (0.0, 0.0, width / overview.downsample[1], height / overview.downsample[0])
        pixels = pixels.resize(size, Image.Resampling.LANCZOS, box=part)
    yield np.asarray(pixels)


def _fitted(width: int, height: int) -> tuple[int, int]:
    """Return the size of PIL's ``thumbnail``: at most 2048 × 2048, the aspect as near as whole pixels allow."""
    if max(width, height) <= THUMBNAIL_PX:
        return width, height
    aspect = width / height
    if aspect <= 1:
        return _nearest(THUMBNAIL_PX * aspect, lambda n: abs(aspect - n / THUMBNAIL_PX)), THUMBNAIL_PX
    return THUMBNAIL_PX, _nearest(THUMBNAIL_PX / aspect, lambda n: abs(aspect - THUMBNAIL_PX / max(n, 1)))


def _nearest(length: float, error: Callable[[int], float]) -> int:
    return max(min(math.floor(length), math.ceil(length), key=error), 1)
