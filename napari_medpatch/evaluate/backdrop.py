"""What lies behind the contours of a report's pictures: the image, on the grid of the masks."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box, level_box
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_source import as_volume

Pixels: TypeAlias = npt.NDArray[np.uint8]
Window: TypeAlias = tuple[slice, slice]
Backdrop: TypeAlias = Callable[[int, int, Window], Pixels]
"""Takes an axis, the index of a slice along it and the rows and columns wanted; returns ``(rows, columns)`` or
``(rows, columns, 3)`` uint8. Pictures have one slice, 0, whatever the axis."""
_SAMPLE = 2_000_000


def backdrop_of(source: Source, shape: tuple[int, ...]) -> Backdrop:
    """Return the background out of a source.

    Parameters
    ----------
    source : Source
        Volume, photograph or slide that the masks lie on.
    shape : tuple of int
        Of the masks; coarser than the source on slides.
    """
    if source.kind == "volume":
        return volume_backdrop(as_volume(source).data)
    return _picture_backdrop(source, shape)


def volume_backdrop(volume: AnyArray) -> Backdrop:
    """Return the background out of a ``(Z, Y, X)`` volume, between the 1st and the 99th percentile of the view."""

    def view(axis: int, index: int, window: Window) -> Pixels:
        return _grey(plane_of(volume, axis, index)[window])

    return view


def grey_backdrop(axis: int, index: int, window: Window) -> Pixels:
    """Return dark grey, for masks without an image."""
    return np.full(tuple(each.stop - each.start for each in window), 60, np.uint8)


def plane_of(array: AnyArray, axis: int, index: int) -> AnyArray:
    """Return a slice of a volume along an axis; a picture is its own only slice."""
    if array.ndim == 2:
        return array
    where: list[slice | int] = [slice(None)] * 3
    where[axis] = index
    plane: AnyArray = array[tuple(where)]
    return plane


def _grey(values: AnyArray) -> Pixels:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not finite.size:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(finite.ravel()[:: max(1, finite.size // _SAMPLE)], (1, 99))
    scaled = (values.astype(np.float32) - low) * (255 / max(high - low, 1e-6))
    pixels: Pixels = np.nan_to_num(np.clip(scaled, 0, 255)).astype(np.uint8)
    return pixels


def _picture_backdrop(source: Source, shape: tuple[int, ...]) -> Backdrop:
    """Read colours from the coarsest level that is as fine as the masks, resized to their grid."""
    full = source.levels[0].shape
    ratio = tuple(n / m for n, m in zip(full, shape, strict=True))
    fine = [number for number, each in enumerate(source.levels) if max(each.downsample) <= max(ratio) * 1.01]
    level = fine[-1] if fine else 0
    steps = tuple(r / d for r, d in zip(ratio, source.levels[level].downsample, strict=True))

    def view(axis: int, index: int, window: Window) -> Pixels:
        from PIL import Image

        box = level_box(
            Box(tuple(s.start for s in window), tuple(s.stop for s in window)), tuple(1 / step for step in steps)
        )
        size = (window[1].stop - window[1].start, window[0].stop - window[0].start)
        return np.asarray(Image.fromarray(source.read(level, box)).resize(size, Image.Resampling.BOX))

    return view
