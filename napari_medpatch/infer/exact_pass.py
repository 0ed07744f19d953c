"""Logits of networks that can be cut exactly: of the whole grid, in one sweep, or block by block."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING

from napari_medpatch.errors import ResourceError
from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.infer.halo import Tiling, halves
from napari_medpatch.infer.runner import FloatArray, Runner
from napari_medpatch.infer.sweep import Sweep, halved, plane_tiling
from napari_medpatch.infer.working_grid import WorkingGrid

if TYPE_CHECKING:
    import torch

    from napari_medpatch.infer.network_stream import NetworkStream
    from napari_medpatch.infer.working_image import WorkingImage

Logits = Generator[float, None, "torch.Tensor"]
MakeStream = Callable[[Callable[[int, int], FloatArray], int, Sequence[int]], "NetworkStream"]
_TOO_LITTLE = "Memory ran out even for the smallest block; close other programs or use a machine with more memory."


class BlockPass:
    """Each block by itself, with the margin that makes it exact.

    Parameters
    ----------
    image : WorkingImage
        Network input.
    tiling : Tiling
        How the grid may be cut.
    runner : Runner
        The network.
    voxels : int
        Largest block that the network sees.
    """

    kind = "blocks"

    def __init__(self, image: "WorkingImage", tiling: Tiling, runner: Runner, voxels: int) -> None:
        self._image = image
        self._tiling = tiling
        self._runner = runner
        self._voxels = voxels

    def cores(self) -> list[Box]:
        """Return few big blocks."""
        return self._tiling.cores(self._voxels)

    def cropped(self, cores: Sequence[Box], crop: Callable[[Box], Box]) -> list[Box]:
        """Return each core's part that must be known; empty boxes where nothing must."""
        return [crop(core) for core in cores]

    def logits(self, region: Box) -> Logits:
        """Run the network on a region and its margin."""
        padded = self._tiling.padded(region)
        logits = yield from self._runner.logits(self._image.block(padded))
        return logits[(slice(None), *region.shift([-a for a in padded.start]).slices)]

    def without_memory(self, core: Box, waiting: Iterable[Box]) -> list[Box]:
        """Return two halves of a block that did not fit, and those that wait."""
        parts = halves(core, self._tiling.multiple)
        if not parts:
            raise ResourceError(_TOO_LITTLE)
        return [*parts, *waiting]


class OncePass:
    """A small grid: the network runs once, and every part is known from then on.

    Parameters
    ----------
    blocks : BlockPass
        What is used instead when memory does not suffice.
    tiling : Tiling
        How the grid may be cut.
    rows : int
        Rows of the blocks that are handed out.
    """

    kind = "once"

    def __init__(self, blocks: BlockPass, tiling: Tiling, rows: int) -> None:
        self._blocks = blocks
        self._tiling = tiling
        self._rows = rows
        self._logits: torch.Tensor | None = None
        self._fits = True

    def cores(self) -> list[Box]:
        """Return slabs along the first axis."""
        return _slabs(self._tiling.shape, self._rows)

    def cropped(self, cores: Sequence[Box], crop: Callable[[Box], Box]) -> list[Box]:
        """Return each core's part that must be known; empty boxes where nothing must."""
        return [crop(core) for core in cores]

    def logits(self, region: Box) -> Logits:
        """Run the network, the first time."""
        if not self._fits:
            return (yield from self._blocks.logits(region))
        if self._logits is None:
            self._logits = (yield from self._blocks.logits(Box.whole(self._tiling.shape))).cpu()
        return self._logits[(slice(None), *region.slices)]

    def without_memory(self, core: Box, waiting: Iterable[Box]) -> list[Box]:
        """Go on with the same block by itself, then with halves of it."""
        if not self._fits:
            return self._blocks.without_memory(core, waiting)
        self._fits = False
        return [core, *waiting]


class StreamPass:
    """Slab after slab of one sweep, so that nothing is computed twice.

    Parameters
    ----------
    image : WorkingImage
        Network input.
    tiling : Tiling
        How the grid may be cut.
    sweep : Sweep
        Its columns.
    make_stream : callable
        ``make_stream(read, size, plane)`` begins a sweep.
    rows : int
        Rows of the blocks that are handed out.
    overlap : int
        Rows before its own that the next block may ask for.
    """

    kind = "sweep"

    def __init__(
        self,
        image: "WorkingImage",
        tiling: Tiling,
        sweep: Sweep,
        make_stream: MakeStream,
        *,
        rows: int,
        overlap: int,
    ) -> None:
        self._image = image
        self._tiling = tiling
        self._plane_tiling = plane_tiling(tiling)
        self._sweep = sweep
        self._make_stream = make_stream
        self._rows = rows
        self._overlap = overlap
        self._stream: NetworkStream | None = None
        self._plane = Box((), ())
        self._next = 0

    def cores(self) -> list[Box]:
        """Return slabs along the first axis, column after column."""
        rows = list(split_axis(self._tiling.shape[0], self._rows))
        return [Box((a, *c.start), (b, *c.stop)) for c in self._sweep.columns for a, b in rows]

    def cropped(self, cores: Sequence[Box], crop: Callable[[Box], Box]) -> list[Box]:
        """Return each core's part that must be known; all of a column keep one width, or the sweep would break."""
        result = []
        for column in self._sweep.columns:
            of = crop(Box((0, *column.start), (self._tiling.shape[0], *column.stop)))
            for core in (core for core in cores if (core.start[1:], core.stop[1:]) == (column.start, column.stop)):
                rows = crop(core)
                result.append(Box((rows.start[0], *of.start[1:]), (rows.stop[0], *of.stop[1:])) if rows.size else rows)
        return result

    def logits(self, region: Box) -> Logits:
        """Go on with the sweep, or begin one at a region that does not follow the last."""
        plane = self._plane_tiling.padded(Box(region.start[1:], region.stop[1:]))
        if self._stream is None or plane != self._plane or region.start[0] < self._next:
            self._begin(plane)
        # So that an error leaves no half-made sweep behind.
        stream, self._stream = self._stream, None
        assert stream is not None
        then = max(region.start[0], region.stop[0] - self._overlap)
        logits = yield from stream.rows(region.start[0], region.stop[0], then)
        self._stream, self._next = stream, then
        inside = Box(region.start[1:], region.stop[1:]).shift([-a for a in plane.start])
        return logits[(slice(None), slice(None), *inside.slices)]

    def without_memory(self, core: Box, waiting: Iterable[Box]) -> list[Box]:
        """Return the rest of the core's column as two narrower ones, and the columns that wait."""
        same, others = [core], deque[Box]()
        for box in waiting:
            (same if box.start[1:] == core.start[1:] and box.stop[1:] == core.stop[1:] else others).append(box)
        parts = [halved(box, self._tiling.multiple) for box in same]
        if not all(parts):
            raise ResourceError(_TOO_LITTLE)
        return [*(first for first, _ in parts), *(second for _, second in parts), *others]

    def _begin(self, plane: Box) -> None:
        def read(start: int, stop: int) -> FloatArray:
            return self._image.block(Box((start, *plane.start), (stop, *plane.stop)))

        self._plane = plane
        self._stream = None
        self._stream = self._make_stream(read, self._tiling.canvas[0], plane.shape)


def slab_rows(grid: Sequence[int], mask: Sequence[int], voxels: int) -> int:
    """Return rows of a grid that make about ``voxels`` of a mask on the same place."""
    return max(1, min(grid[0], round(grid[0] * voxels / max(1, math.prod(mask)))))


def row_overlap(output: WorkingGrid) -> int:
    """Return how many working rows before its own a slab of the mask may be interpolated from."""
    axis = output.axes[0]
    worst = 0
    for row in range(1, axis.working):
        source = axis.first_source(row)
        if 0 < source < axis.source:
            worst = max(worst, axis.scatter_range(source - 1, source)[1] - axis.scatter_range(source, source + 1)[0])
    return worst


def _slabs(shape: Sequence[int], rows: int) -> list[Box]:
    return [Box((a, *(0,) * (len(shape) - 1)), (b, *shape[1:])) for a, b in split_axis(shape[0], rows)]
