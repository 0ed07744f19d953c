"""Cut a working grid into overlapping windows, as MONAI's ``sliding_window_inference`` does.

For networks whose answer depends on everything they see at once (instance and group normalisation,
attention) or whose reach is unknown, no cut is exact; blending overlapping windows is the field's custom.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from napari_medpatch.geometry import Box

_SLICES_VOXELS = 4_000_000
_LARGEST_PICTURE = 1024


@dataclass(frozen=True, slots=True)
class WindowTiling:
    """Where windows lie on a working grid.

    Parameters
    ----------
    shape : tuple of int
        Of the working grid.
    window : tuple of int
        Edges of a window. Where the grid is smaller, windows reach beyond it equally on both sides.
    overlap : float
        Share of a window that the next one sees too, 0 to below 1.
    blend : str
        ``"gaussian"`` or ``"constant"``.
    flipped : tuple of bool
        Axes along which the network's coordinates run the other way: windows are counted from there.
    slice_axis : int, optional
        Axis of independent slices, along which windows are one voxel thick and do not overlap.
    """

    shape: tuple[int, ...]
    window: tuple[int, ...]
    overlap: float = 0.5
    blend: str = "gaussian"
    flipped: tuple[bool, ...] = ()
    slice_axis: int | None = None

    kind = "windows"

    @property
    def multiple(self) -> tuple[int, ...]:
        """Cores may begin anywhere."""
        return (1,) * len(self.shape)

    def padded(self, box: Box) -> Box:
        """Return what must be known to know ``box``: blending needs no margin, windows bring their own."""
        return box.clip(self.shape)

    def cores(self, voxels: int) -> list[Box]:
        """Return slabs along the first axis that become ready one after the other.

        Parameters
        ----------
        voxels : int
            Not used: memory follows from the window.
        """
        starts = sorted({max(0, start) for start in self.starts(0)})
        if self.slice_axis == 0:
            starts = starts[:: max(1, _SLICES_VOXELS // math.prod(self.shape[1:]))]
        stops = [*starts[1:], self.shape[0]]
        rest = self.shape[1:]
        return [Box((a, *(0,) * len(rest)), (b, *rest)) for a, b in zip(starts, stops, strict=True)]

    def starts(self, axis: int) -> tuple[int, ...]:
        """Return where windows begin along an axis, ascending; negative where they reach beyond the grid."""
        overlap = 0.0 if axis == self.slice_axis else self.overlap
        flipped = bool(self.flipped) and self.flipped[axis]
        return _starts(self.shape[axis], self.window[axis], overlap, flipped)


def window_on(shape: Sequence[int], wanted: Sequence[int], multiple: Sequence[int]) -> tuple[int, ...]:
    """Return the window for a grid: 0 stands for the whole extent, rounded up; big pictures are cut all the same."""
    return tuple(
        want or min(math.ceil(size / m) * m, math.ceil(_LARGEST_PICTURE / m) * m)
        for size, want, m in zip(shape, wanted, multiple, strict=True)
    )


@lru_cache(maxsize=64)
def _starts(length: int, window: int, overlap: float, flipped: bool) -> tuple[int, ...]:
    padded = max(length, window)
    before = (padded - length) // 2
    interval = window if window == padded else max(1, int(window * (1 - overlap)))
    # As monai.data.utils.dense_patch_slices has them; importing that takes seconds, and cuts are wanted at once.
    count = math.ceil((padded - window) / interval) + 1
    places = [min(index * interval, padded - window) for index in range(count)]
    if flipped:
        # The network's first voxel is the array's last one, and its padding follows it.
        before = padded - length - before
        places = [padded - window - place for place in places]
    return tuple(sorted(place - before for place in places))
