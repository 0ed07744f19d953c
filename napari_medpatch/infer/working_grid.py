"""A model's working grid over an image, and the weights that lead from one to the other.

Both grids are centred on the image and share its axes; only the step differs. Values between voxels are
linear; going to a coarser grid averages them over a window, which makes the filter as wide as PIL's
antialiased bilinear one but, unlike it, exact for linear ramps at every step, so nothing is displaced.
Beyond the border the outermost voxel counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError
from napari_medpatch.geometry import Box

FloatArray = npt.NDArray[np.float32]
Weights = tuple[int, int, FloatArray]


@dataclass(frozen=True, slots=True)
class AxisMap:
    """Where working voxels lie along one axis of the image.

    Parameters
    ----------
    source, working : int
        Number of voxels of the image and of the working grid.
    step : float
        Image voxels from one working voxel to the next.
    origin : float
        Image index of working voxel 0's centre.
    """

    source: int
    working: int
    step: float = 1.0
    origin: float = 0.0

    @classmethod
    def centred(cls, source: int, step: float, *, margin: int = 0, least: int = 1) -> "AxisMap":
        """Return the map with just enough working voxels to cover the image, centred on it.

        Parameters
        ----------
        source, step
            As above.
        margin, least : int
            Working voxels more on both sides, and at least in all; beyond the image they repeat its edge.
        """
        working = max(1, math.ceil(source / step - 1e-6) + 2 * margin, least)
        return cls(source, working, step, (source - 1) / 2 - step * (working - 1) / 2)

    @property
    def identity(self) -> bool:
        """Whether both grids are the same."""
        return self.source == self.working and self.step == 1 and self.origin == 0

    def at_level(self, size: int, downsample: float) -> "AxisMap":
        """Return the same working voxels over a coarser level of ``size`` pixels."""
        return AxisMap(size, self.working, self.step / downsample, (self.origin + 0.5) / downsample - 0.5)

    def gather(self, start: int, stop: int) -> Weights:
        """Return ``lo, hi, weights`` that make working voxels ``start…stop`` of image voxels ``lo…hi``."""
        centres = self.origin + self.step * np.arange(start, stop, dtype=np.float64)
        return _weights(centres, self.source, self.step)

    def scatter(self, start: int, stop: int) -> Weights:
        """Return ``lo, hi, weights`` that make image voxels ``start…stop`` of working voxels ``lo…hi``."""
        centres = (np.arange(start, stop, dtype=np.float64) - self.origin) / self.step
        return _weights(centres, self.working, 1 / self.step)

    def gather_range(self, start: int, stop: int) -> tuple[int, int]:
        """Return the ``lo, hi`` of :meth:`gather`."""
        ends = self.origin + self.step * np.array([start, stop - 1])
        return _window(ends, self.source, self.step)

    def scatter_range(self, start: int, stop: int) -> tuple[int, int]:
        """Return the ``lo, hi`` of :meth:`scatter`."""
        ends = (np.array([start, stop - 1]) - self.origin) / self.step
        return _window(ends, self.working, 1 / self.step)

    def first_source(self, working: int) -> int:
        """Return the first image voxel that is nearest to ``working`` or to a later working voxel."""
        if working <= 0:
            return 0
        if working >= self.working:
            return self.source
        first = math.ceil(self.origin + (working - 0.5) * self.step - 1e-9)
        return min(max(first, 0), self.source)


@dataclass(frozen=True, slots=True)
class WorkingGrid:
    """The working grid of an image.

    Parameters
    ----------
    axes : tuple of AxisMap
        One per spatial axis, in array order.
    """

    axes: tuple[AxisMap, ...]

    @classmethod
    def centred(
        cls,
        shape: Sequence[int],
        steps: Sequence[float],
        *,
        margin: Sequence[int] | None = None,
        least: Sequence[int] | None = None,
    ) -> "WorkingGrid":
        """Return the grid whose voxels are ``steps`` image voxels apart; see :meth:`AxisMap.centred`."""
        if not all(math.isfinite(step) and step > 0 for step in steps):
            raise GeometryError(f"The working resolution is {tuple(steps)} voxels, which is not positive.")
        margins = margin if margin is not None else [0] * len(steps)
        leasts = least if least is not None else [1] * len(steps)
        return cls(
            tuple(
                AxisMap.centred(int(n), float(step), margin=more, least=fewest)
                for n, step, more, fewest in zip(shape, steps, margins, leasts, strict=True)
            )
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the working grid."""
        return tuple(axis.working for axis in self.axes)

    @property
    def source_shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return tuple(axis.source for axis in self.axes)

    @property
    def identity(self) -> bool:
        """Whether the working grid is the image's."""
        return all(axis.identity for axis in self.axes)

    def source_box(self, box: Box) -> Box:
        """Return the image voxels nearest to a box of working voxels; disjoint boxes stay disjoint."""
        start = tuple(axis.first_source(a) for axis, a in zip(self.axes, box.start, strict=True))
        stop = tuple(axis.first_source(b) for axis, b in zip(self.axes, box.stop, strict=True))
        return Box(start, stop)

    def working_box(self, box: Box) -> Box:
        """Return the working voxels that a non-empty box of image voxels is interpolated from."""
        ranges = [axis.scatter_range(a, b) for axis, a, b in zip(self.axes, box.start, box.stop, strict=True)]
        return Box(tuple(lo for lo, _ in ranges), tuple(hi for _, hi in ranges))


def _weights(centres: npt.NDArray[np.float64], size: int, step: float) -> Weights:
    """Return the window of voxels that the centres see, and the weight of each.

    The kernel is linear interpolation's hat averaged over a box; the box is chosen so that the variance,
    1/6 + box² / 12, is that of a triangle ``step`` wide to each side, step² / 6.
    """
    lo, hi = _window(centres, size, step)
    distance = np.clip(centres, 0, size - 1)[:, None] - np.arange(lo, hi)[None]
    box = _box(step)
    if box > 0:
        weights = (_hat_integral(distance + box / 2) - _hat_integral(distance - box / 2)) / box
    else:
        weights = np.clip(1 - np.abs(distance), 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    return lo, hi, weights.astype(np.float32)


def _window(centres: npt.NDArray[np.float64], size: int, step: float) -> tuple[int, int]:
    """Return the range of voxels with a weight for the first or last centre, or between them."""
    support = 1 + _box(step) / 2
    first, last = np.clip(centres[[0, -1]], 0, size - 1)
    return max(0, math.floor(first - support) + 1), min(size, math.ceil(last + support))


def _box(step: float) -> float:
    return math.sqrt(2 * (step * step - 1)) if step > 1 else 0.0


def _hat_integral(t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the integral of ``max(0, 1 - |u|)`` from minus infinity to ``t``."""
    t = np.clip(t, -1, 1)
    return np.asarray(np.where(t < 0, (t + 1) ** 2 / 2, 1 - (1 - t) ** 2 / 2))
