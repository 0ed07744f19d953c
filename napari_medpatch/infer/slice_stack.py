"""Neighbouring slices as channels, for 2D networks that look a little way into depth (2.5D)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.infer.working_grid import FloatArray, WorkingGrid
from napari_medpatch.infer.working_image import VolumeImage


class StackedImage:
    """A volume whose channels are slices before, at and behind each slice.

    Beyond the volume its outermost slice is repeated; between slices values are linear.

    Parameters
    ----------
    image : VolumeImage
        One channel.
    axis : int
        Axis of slices.
    stack : int
        Number of channels, odd.
    step : float
        Distance of neighbouring channels, in slices.
    """

    def __init__(self, image: VolumeImage, axis: int, stack: int, step: float = 1.0) -> None:
        self._image = image
        self._axis = axis
        self._offsets = step * (np.arange(stack) - stack // 2)

    @property
    def grid(self) -> WorkingGrid:
        """The volume's working grid."""
        return self._image.grid

    def prepare(self) -> Iterator[float]:
        """Read and resample the volume."""
        return self._image.prepare()

    def notes(self) -> list[str]:
        """Return what the user should know about the values."""
        return self._image.notes()

    def values(self, box: Box) -> FloatArray:
        """Return the volume's own values in a box of its own grid."""
        return self._image.values(box)

    def block(self, box: Box) -> FloatArray:
        """Return ``(stack, *box.shape)``."""
        axis, last = self._axis, self.grid.shape[self._axis] - 1
        places = np.arange(box.start[axis], box.stop[axis])[None] + self._offsets[:, None]
        places = np.clip(places, 0, last)
        first, stop = int(places.min()), min(last, int(np.ceil(places.max()))) + 1
        wide = Box(_put(box.start, axis, first), _put(box.stop, axis, stop))
        slices = self._image.block(wide)[0]
        low = np.minimum(np.floor(places).astype(int), last)
        share = (places - low).astype(np.float32)
        channels = [_between(slices, axis, a - first, s) for a, s in zip(low, share, strict=True)]
        return np.stack(channels)


def _between(slices: FloatArray, axis: int, low: npt.NDArray[np.intp], share: FloatArray) -> FloatArray:
    """Return slices at fractional places along an axis."""
    below: FloatArray = slices.take(low, axis)
    if not share.any():
        return below
    above = slices.take(np.minimum(low + 1, slices.shape[axis] - 1), axis)
    weights = share.reshape([-1 if each == axis else 1 for each in range(slices.ndim)])
    result: FloatArray = below + weights * (above - below)
    return result


def _put(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    return (*values[:axis], value, *values[axis + 1 :])
