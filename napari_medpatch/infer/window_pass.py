"""Logits of networks that cannot be cut exactly: overlapping windows, blended."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_medpatch.errors import ResourceError
from napari_medpatch.geometry import Box
from napari_medpatch.infer.device import available_memory, is_out_of_memory
from napari_medpatch.infer.runner import FloatArray, Runner
from napari_medpatch.infer.window_tiling import WindowTiling
from napari_medpatch.patience import patiently, saying
from napari_medpatch.steps import telling

if TYPE_CHECKING:
    import torch

    from napari_medpatch.infer.working_image import WorkingImage

_BATCH_VOXELS = {"cpu": 1_000_000, "cuda": 8_000_000, "mps": 2_000_000}
"""Voxels of the windows that the network sees together: one window of 96³ on a processor, so that it can be stopped."""


class WindowPass:
    """Windows weighted and summed; only the rows that are not finished are held.

    The result equals that of MONAI's ``sliding_window_inference`` to rounding (Cardoso et al., *MONAI*,
    arXiv 2211.02701). Regions are best asked for in array order: going back computes windows again.

    Parameters
    ----------
    image : WorkingImage
        Network input.
    tiling : WindowTiling
        Where windows lie.
    runner : Runner
        The network.
    """

    kind = "windows"

    def __init__(self, image: "WorkingImage", tiling: WindowTiling, runner: Runner) -> None:
        self._image = image
        self._tiling = tiling
        self._runner = runner
        self._weights: torch.Tensor | None = None
        self._batch = max(1, _BATCH_VOXELS.get(runner.device.type, 1_000_000) // math.prod(tiling.window))
        self._sum: torch.Tensor | None = None
        self._count: torch.Tensor | None = None
        self._first = 0
        self._done = 0
        self._whole = True

    def cores(self) -> list[Box]:
        """Return slabs that become ready one after the other."""
        return self._tiling.cores(0)

    def cropped(self, cores: Sequence[Box], crop: Callable[[Box], Box]) -> list[Box]:
        """Return each core's part that must be known; empty boxes where nothing must."""
        return [crop(core) for core in cores]

    def without_memory(self, core: Box, waiting: Iterable[Box]) -> list[Box]:
        """Give up: :meth:`logits` has tried with fewer windows, so it is the sums that do not fit."""
        raise ResourceError("Memory ran out while windows were blended; close other programs, or use a coarser model.")

    def logits(self, region: Box) -> Generator[float, None, "torch.Tensor"]:
        """Return the blended logits of a region; windows that the region before shared are not computed again."""
        if self._weights is None:
            self._weights = yield from saying(0.0, patiently(_importance, self._tiling))
        starts = self._tiling.starts(0)
        self._forget(region.start[0])
        self._whole = False
        height = self._tiling.window[0]
        wanted = [i for i, start in enumerate(starts) if start < region.stop[0] and start + height > self._first]
        wanted = [index for index in wanted if index >= self._done]
        across, end = self._across(), min(self._tiling.shape[0], max([starts[i] + height for i in wanted], default=0))
        waiting = deque(Box((starts[i], *corner), self._end(starts[i], corner)) for i in wanted for corner in across)
        total = len(waiting)
        while waiting:
            boxes = [waiting.popleft() for _ in range(min(self._batch, len(waiting)))]
            try:
                outputs = yield from self._outputs(boxes, 1 - (len(waiting) + len(boxes)) / total, total)
            except (RuntimeError, MemoryError) as error:
                self._take_fewer(len(boxes), error)
                waiting.extendleft(reversed(boxes))
                continue
            self._make_room(end, outputs.shape[1])
            for box, output in zip(boxes, outputs, strict=True):
                self._add(box, output, self._weights)
        self._done = max([self._done, *(i + 1 for i in wanted)])
        self._whole = True
        return self._runner.to_logits(self._blended(region))

    def _outputs(self, boxes: list[Box], begun: float, total: int) -> Generator[float, None, "torch.Tensor"]:
        steps = self._runner.outputs(np.stack([self._read(box) for box in boxes]))
        outputs = yield from telling(steps, lambda share: min(1.0, begun + share * len(boxes) / total))
        return outputs.cpu()

    def _read(self, box: Box) -> FloatArray:
        """Return network input, 0 beyond the grid as MONAI has it."""
        inside = box.clip(self._tiling.shape)
        pixels = self._image.block(inside)
        if inside == box:
            return pixels
        result = np.zeros((len(pixels), *box.shape), np.float32)
        result[(slice(None), *inside.shift([-a for a in box.start]).slices)] = pixels
        return result

    def _add(self, box: Box, output: "torch.Tensor", importance: "torch.Tensor") -> None:
        """Add a window to the rows it covers."""
        inside = box.clip(self._tiling.shape)
        part = inside.shift([-a for a in box.start]).slices
        place = inside.shift([-self._first, *(0,) * (len(box.start) - 1)])
        # Rows above the first one kept are finished; after a restart windows may reach over them.
        lost = max(0, -place.start[0])
        part = (slice(part[0].start + lost, part[0].stop), *part[1:])
        rows = (slice(place.start[0] + lost, place.stop[0]), *place.slices[1:])
        weights = importance[part]
        if self._sum is not None and self._count is not None:
            self._sum[(slice(None), *rows)] += output[(slice(None), *part)] * weights
            self._count[rows] += weights

    def _make_room(self, end: int, channels: int) -> None:
        """Lengthen the sums so that they hold the rows before ``end``."""
        import torch

        have = 0 if self._sum is None else self._sum.shape[1]
        need = end - self._first
        if need <= have:
            return
        shape = (need - have, *self._tiling.shape[1:])
        self._check_room(4 * (channels + 1) * math.prod(shape))
        more, weight = torch.zeros((channels, *shape)), torch.zeros(shape)
        self._sum = more if self._sum is None else torch.cat([self._sum, more], dim=1)
        self._count = weight if self._count is None else torch.cat([self._count, weight])

    def _check_room(self, size: int) -> None:
        import torch

        free = available_memory(torch.device("cpu"))
        if size > free:
            raise ResourceError(
                f"Blending the windows needs {size / 2**30:.1f} GB more memory and {free / 2**30:.1f} GB are free; "
                "close other programs, or use a model with fewer classes or a coarser working resolution."
            )

    def _forget(self, first: int) -> None:
        """Drop the rows before the one asked for; start anew if it lies before those kept, or after an error."""
        if first < self._first or not self._whole:
            self._sum = self._count = None
            self._first, self._done = first, 0
            return
        if self._sum is not None and self._count is not None:
            # Copies, so that the memory of the dropped rows is freed.
            self._sum = self._sum[:, first - self._first :].clone()
            self._count = self._count[first - self._first :].clone()
        self._first = first

    def _blended(self, region: Box) -> "torch.Tensor":
        if self._sum is None or self._count is None:
            raise ValueError("a region without windows")
        place = region.shift([-self._first, *(0,) * (len(region.start) - 1)]).slices
        return self._sum[(slice(None), *place)] / self._count[place]

    def _across(self) -> list[tuple[int, ...]]:
        """Return the corners of windows along all axes but the first."""
        rest = [self._tiling.starts(axis) for axis in range(1, len(self._tiling.shape))]
        shape = [len(starts) for starts in rest]
        return [tuple(starts[i] for starts, i in zip(rest, index, strict=True)) for index in np.ndindex(*shape)]

    def _end(self, start: int, corner: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(a + n for a, n in zip((start, *corner), self._tiling.window, strict=True))

    def _take_fewer(self, tried: int, error: Exception) -> None:
        """Halve the number of windows at once after memory ran out."""
        if not is_out_of_memory(error):
            raise error
        self._runner.release()
        if tried == 1:
            edges = " × ".join(str(n) for n in self._tiling.window)
            raise ResourceError(
                f"A single window of {edges} does not fit into the memory of {self._runner.device}; choose the device "
                "cpu, or a smaller window in the model's config.json."
            ) from error
        self._batch = tried // 2


def _importance(tiling: WindowTiling) -> "torch.Tensor":
    """Return the weight of each voxel of a window; importing MONAI takes seconds."""
    from monai.data.utils import compute_importance_map

    weights: torch.Tensor = compute_importance_map(tiling.window, mode=tiling.blend)
    return weights
