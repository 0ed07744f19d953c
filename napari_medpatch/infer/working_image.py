"""Network input on the working grid, block by block."""

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.infer.resample import gather, gather_steps
from napari_medpatch.infer.scan_values import value_notes
from napari_medpatch.infer.working_grid import FloatArray, WorkingGrid
from napari_medpatch.io.source import AnyArray, Source, finest_level_at_least
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.intensity import HU_KINDS, Intensity, intensity_of
from napari_medpatch.models.preprocess import normalise_image, normalise_volume
from napari_medpatch.patience import patiently, saying


class WorkingImage(Protocol):
    """An image as a network sees it."""

    @property
    def grid(self) -> WorkingGrid:
        """Its working grid."""

    def prepare(self) -> Iterator[float]:
        """Do what must be done once, yielding the share done."""

    def notes(self) -> list[str]:
        """Return what the user should know about the pixels; after :meth:`prepare`.

        Raises
        ------
        WrongKindError
            If nothing can be seen in them.
        """

    def block(self, box: Box) -> FloatArray:
        """Return ``(C, *box.shape)`` float32 network input; ``box`` may reach beyond the grid."""


class VolumeImage:
    """A volume, resampled once as a whole: its working copy is the small one.

    Parameters
    ----------
    source : Source
        A volume.
    card : ModelCard
        A model for volumes.
    grid : WorkingGrid
        On the volume's axes.
    """

    def __init__(self, source: Source, card: ModelCard, grid: WorkingGrid) -> None:
        self.grid = grid
        self._source = source
        self._card = card
        self._hu: npt.NDArray[Any] = np.zeros((0, 0, 0), np.float32)
        self._intensity: Intensity | None = None
        self._low, self._high = math.inf, -math.inf

    def prepare(self) -> Iterator[float]:
        """Read and resample the volume."""
        if self.grid.identity:
            self._hu = self._read(0, self.grid.source_shape[0])
            yield 1.0
        else:
            self._hu = yield from gather_steps(self._read, self.grid)

        # In a thread: a volume's percentiles take seconds.
        self._intensity = yield from saying(1.0, patiently(intensity_of, self._card, self._hu))

    def notes(self) -> list[str]:
        """Warn when the values cannot be Hounsfield units and should be; raises as :func:`value_notes`."""
        if math.prod(self.grid.source_shape) == 1:
            return []  # one voxel looks like nothing in particular
        return value_notes(self._source, self._card, self._low, self._high)

    def block(self, box: Box) -> FloatArray:
        """Return ``(1, *box.shape)``; air beyond the grid."""
        inside = box.clip(self.grid.shape)
        result = np.zeros((1, *box.shape), np.float32)
        place = inside.shift([-a for a in box.start]).slices
        result[0][place] = normalise_volume(self._hu[inside.slices], self._card, self._intensity)
        return result

    @property
    def working_values(self) -> AnyArray:
        """The volume on the working grid, after :meth:`prepare`."""
        return self._hu

    @property
    def spacing_mm(self) -> tuple[float, ...] | None:
        """Size of a working voxel; None if the volume does not say, or its values are no HU."""
        spacing = self._source.spacing
        if spacing is None or self._card.intensity.get("kind") not in HU_KINDS:
            return None
        return tuple(axis.step * size for axis, size in zip(self.grid.axes, spacing.values, strict=True))

    def values(self, box: Box) -> AnyArray:
        """Return the volume's own values in a box of its own grid."""
        return self._source.read(0, box)

    def _read(self, start: int, stop: int) -> AnyArray:
        """Return slices, and note their extremes: a coarse copy loses some, or makes two values of one by rounding."""
        _, height, width = self.grid.source_shape
        slices = self._source.read(0, Box((start, 0, 0), (stop, height, width)))
        self._low = min(self._low, float(np.fmin.reduce(slices, axis=None)))
        self._high = max(self._high, float(np.fmax.reduce(slices, axis=None)))
        return slices


class PictureImage:
    """A photograph or slide, read and resampled block by block from the level that fits.

    Parameters
    ----------
    source : Source
        A photograph or slide.
    card : ModelCard
        A model for colour images.
    grid : WorkingGrid
        On level 0.
    """

    def __init__(self, source: Source, card: ModelCard, grid: WorkingGrid) -> None:
        self.grid = grid
        self._source = source
        self._card = card
        self._level = finest_level_at_least(source, min(axis.step for axis in grid.axes))
        level = source.levels[self._level]
        self._axes = [
            axis.at_level(size, downsample)
            for axis, size, downsample in zip(grid.axes, level.shape, level.downsample, strict=True)
        ]

    def prepare(self) -> Iterator[float]:
        """Nothing is done ahead."""
        yield 1.0

    def notes(self) -> list[str]:
        """Colour pixels need no comment."""
        return []

    def block(self, box: Box) -> FloatArray:
        """Return ``(3, *box.shape)``; the border is repeated beyond the grid."""
        ranges = [axis.gather_range(a, b) for axis, a, b in zip(self._axes, box.start, box.stop, strict=True)]
        window = Box(tuple(lo for lo, _ in ranges), tuple(hi for _, hi in ranges))
        pixels = np.moveaxis(self._source.read(self._level, window), 2, 0)
        small = gather(pixels, self._axes, box, offset=window.start)
        return np.moveaxis(normalise_image(np.moveaxis(small, 0, 2), self._card), 2, 0)
