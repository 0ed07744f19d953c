"""From a place on the working grid to logits there: at once for exact tiling, blended from windows otherwise."""

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from napari_medpatch.geometry import Box
from napari_medpatch.infer.exact_pass import BlockPass, OncePass, StreamPass, row_overlap, slab_rows
from napari_medpatch.infer.runner import Runner
from napari_medpatch.infer.unet_runner import UNetRunner
from napari_medpatch.infer.window_pass import WindowPass
from napari_medpatch.infer.window_tiling import WindowTiling

if TYPE_CHECKING:
    import torch

    from napari_medpatch.infer.segment_plan import SegmentPlan

_PICTURE_PIXELS = 2_000_000
"""Largest block of a photograph or slide, so that reading it takes less than a second."""
_SLAB_VOXELS = 4_000_000
"""Voxels of a mask of one class that become ready together: what is lost when the process dies, and drawn at once."""
_ONCE_FLOATS = 32_000_000
"""Logits that may be held as a whole."""


class NetworkPass(Protocol):
    """What makes logits of a region of the working grid, and says in which blocks."""

    kind: str

    def cores(self) -> list[Box]:
        """Return blocks that tile the grid, in the order in which they are cheapest."""

    def cropped(self, cores: Sequence[Box], crop: Callable[[Box], Box]) -> list[Box]:
        """Return the part of each core that must be known; an empty box where nothing must."""

    def logits(self, region: Box) -> Generator[float, None, "torch.Tensor"]:
        """Yield the share done; return ``(K, *region.shape)`` float32."""

    def without_memory(self, core: Box, waiting: Iterable[Box]) -> list[Box]:
        """Return what to do instead of a core for which memory did not suffice, and of those that wait.

        Raises
        ------
        ResourceError
            If it cannot be done with less.
        """


def network_pass(plan: "SegmentPlan", runner: Runner, num_classes: int, block_voxels: int | None = None) -> NetworkPass:
    """Return the pass that fits a plan.

    Parameters
    ----------
    plan : SegmentPlan
        Image and tiling.
    runner : Runner
        The network.
    num_classes : int
        Background included.
    block_voxels : int, optional
        Cut into blocks of at most this size, whatever would be fastest.
    """
    image, tiling = plan.image, plan.tiling
    if isinstance(tiling, WindowTiling):
        return WindowPass(image, tiling, runner)
    flat = len(tiling.shape) != 3
    voxels = block_voxels or runner.block_voxels()
    blocks = BlockPass(image, tiling, runner, min(voxels, _PICTURE_PIXELS) if flat else voxels)
    if block_voxels is not None or flat or plan.slice_axis is not None:
        return blocks
    rows = slab_rows(tiling.shape, plan.output.source_shape, max(_SLAB_VOXELS // 4, 2 * _SLAB_VOXELS // num_classes))
    size = math.prod(tiling.canvas)
    if size <= voxels and size * num_classes <= _ONCE_FLOATS:
        return OncePass(blocks, tiling, rows)
    sweep = runner.sweep(tiling) if isinstance(runner, UNetRunner) else None
    if sweep is None or not isinstance(runner, UNetRunner):
        return blocks
    make = partial(runner.stream, chunk=sweep.chunk)
    return StreamPass(image, tiling, sweep, make, rows=rows, overlap=row_overlap(plan.output))
