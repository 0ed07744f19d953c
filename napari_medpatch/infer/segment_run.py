"""A segmentation under way: blocks through the network, onto the mask's grid, cleaned."""

import math
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import ResourceError
from napari_medpatch.events import BlockSegmented, Event, Noted, Started, Working
from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.infer.decide import decide, relative_logits
from napari_medpatch.infer.device import is_out_of_memory
from napari_medpatch.infer.edges import sharpen_edges
from napari_medpatch.infer.halo import halves
from napari_medpatch.infer.network_pass import network_pass
from napari_medpatch.infer.postprocess import postprocess
from napari_medpatch.infer.resample import FloatArray, from_working
from napari_medpatch.infer.runner import Runner
from napari_medpatch.infer.segment_plan import SegmentPlan
from napari_medpatch.infer.segment_records import SegmentResult, SegmentSettings
from napari_medpatch.infer.working_image import VolumeImage
from napari_medpatch.patience import patiently

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

_PIECE_VOXELS = 2_000_000
"""Floats brought to the mask's grid at a time: what an event may take, and a fraction of a second."""
_PICTURE_PIXELS = 2_000_000
"""Largest block of a photograph or slide, so that reading it takes less than a second."""


class SegmentRun:
    """The mask so far and how much is done.

    Parameters
    ----------
    plan : SegmentPlan
        Image, resolution and cuts.
    runner : Runner
        The model.
    settings : SegmentSettings
        What was asked for.
    classes : tuple of str
        Foreground classes.
    threshold : float or None
        Operating point.
    air_edge : float, optional
        HU that decide where the network is not sure, see :mod:`napari_medpatch.infer.edges`.
    """

    def __init__(
        self,
        plan: SegmentPlan,
        runner: Runner,
        settings: SegmentSettings,
        classes: tuple[str, ...],
        threshold: float | None,
        air_edge: float | None = None,
    ) -> None:
        self.plan = plan
        self.runner = runner
        self.network = network_pass(plan, runner)
        self.settings = settings
        self.classes = classes
        self.threshold = threshold
        self.air_edge = air_edge
        self.cores = plan.tiling.cores(self._block_voxels())
        self.total = sum(len(self._pieces(core)) for core in self.cores)
        shape = plan.output.source_shape
        self.mask = np.zeros(shape, np.uint8)
        self.maps = np.zeros((len(classes), *shape), np.uint8) if settings.probabilities else None
        self.voxels_done = 0
        self.done = 0

    def blocks(self) -> Iterator[Event]:
        """Run the network over all blocks."""
        plan = self.plan
        context = {
            "shape": self.mask.shape,
            "classes": self.classes,
            "downsample": plan.downsample,
            "transform": plan.transform,
        }
        yield Started(self.total, "blocks", context=context)
        for _ in plan.image.prepare():
            yield Working(0.0)
        for note in plan.image.notes():
            yield Noted(note, "warning")
        waiting = deque(self.cores)
        while waiting:
            core = waiting.popleft()
            if not plan.output.source_box(core).size:
                # The image is coarser than the model here: none of its voxels lies in this block.
                continue
            region = plan.tiling.padded(plan.output.working_box(plan.output.source_box(core)))
            try:
                relative = yield from self._network(region, core)
            except (RuntimeError, MemoryError) as error:
                waiting.extendleft(reversed(self._smaller(core, error)))
                continue
            yield from self._finish(core, relative, region)

    def clean(self, rules: Mapping[str, Any]) -> Iterator[Event]:
        """Clean the mask and send what changed."""
        waiting = patiently(
            postprocess, self.mask, rules, voxel=self.plan.voxel, unit=self.plan.unit, class_names=self.classes
        )
        while True:
            try:
                next(waiting)
            except StopIteration as end:
                cleaned: npt.NDArray[np.uint8] = end.value
                break
            yield Working(self.total)
        box = _changed(self.mask, cleaned)
        self.mask = cleaned
        if box is not None:
            maps = self.maps[(slice(None), *box.slices)].copy() if self.maps is not None else None
            yield BlockSegmented(self.total, box, cleaned[box.slices].copy(), maps)

    def result(self, bundle: "Bundle", seconds: float) -> SegmentResult:
        """Return the record of the whole."""
        plan = self.plan
        provenance = {
            "model": bundle.card.name,
            "weights_sha256": bundle.card.weights_sha256,
            "device": str(self.runner.device),
            "precision": self.runner.precision,
            "working_spacing": list(bundle.card.spacing) if bundle.card.spacing else None,
            "working_spacing_unit": bundle.card.spacing_unit,
            "working_shape": list(plan.tiling.shape),
            "downsample": list(plan.downsample),
            "slice_axis": plan.slice_axis,
            "tiling": plan.tiling.kind,
            "blocks": len(self.cores),
            "threshold": self.threshold,
            "postprocess": dict(bundle.card.postprocess) if self.settings.postprocess else {},
        }
        return SegmentResult(self.mask, self.maps, self.classes, seconds, provenance, plan.downsample, plan.transform)

    def _block_voxels(self) -> int:
        wanted = self.settings.block_voxels or self.runner.block_voxels()
        return wanted if len(self.plan.tiling.shape) == 3 else min(wanted, _PICTURE_PIXELS)

    def _network(self, region: Box, core: Box) -> Generator[Event, None, FloatArray]:
        """Return the relative logits of a padded block."""
        before, share = self.voxels_done, self.plan.output.source_box(core).size
        yield Working(max(self.done, self._units(before)))
        steps = self.network.logits(region)
        while True:
            try:
                fraction = next(steps)
            except StopIteration as end:
                return relative_logits(end.value)
            yield Working(max(self.done, self._units(before + fraction * 0.9 * share)))

    def _finish(self, core: Box, relative: FloatArray, region: Box) -> Iterator[Event]:
        """Bring a block to the mask's grid, piece by piece."""
        output = self.plan.output
        for piece in self._pieces(core):
            need = output.working_box(piece)
            part = relative[(slice(None), *need.shift([-a for a in region.start]).slices)]
            values = from_working(part, output, piece, origin=need.start)
            labels, maps = decide(values, self.threshold, maps=self.maps is not None)
            if self.air_edge is not None and isinstance(self.plan.image, VolumeImage):
                sharpen_edges(labels, values, self.plan.image.values(piece), self.air_edge)
            if self.plan.keep is not None:
                labels[~self.plan.keep[piece.slices]] = 0
                if maps is not None:
                    maps[:, ~self.plan.keep[piece.slices]] = 0
            self.mask[piece.slices] = labels
            if self.maps is not None and maps is not None:
                self.maps[(slice(None), *piece.slices)] = maps
            self.voxels_done += piece.size
            self.done = math.ceil(self._units(self.voxels_done) - 1e-6)
            yield BlockSegmented(self.done, piece, labels, maps)

    def _pieces(self, core: Box) -> list[Box]:
        """Cut the part of the mask that a core makes into slabs of bounded size."""
        box = self.plan.output.source_box(core)
        if not box.size:
            return []
        plane = math.prod(box.shape[1:]) * len(self.classes)
        rows = max(1, _PIECE_VOXELS // plane)
        first = box.start[0]
        return [Box((first + a, *box.start[1:]), (first + b, *box.stop[1:])) for a, b in split_axis(box.shape[0], rows)]

    def _units(self, voxels: float) -> float:
        """Return progress in blocks; a block that was split for want of memory still counts as one."""
        return self.total * voxels / self.mask.size

    def _smaller(self, core: Box, error: Exception) -> list[Box]:
        """Return two halves of a block that did not fit into memory."""
        if not is_out_of_memory(error):
            raise error
        self.runner.release()
        parts = halves(core, self.plan.tiling.multiple)
        if not parts:
            raise ResourceError(
                "Memory ran out even for the smallest block; close other programs or use a machine with more memory."
            ) from error
        return parts


def _changed(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> Box | None:
    """Return the smallest box that holds every difference, None if there is none."""
    different = before != after
    start, stop = [], []
    for axis in range(different.ndim):
        found = np.flatnonzero(different.any(axis=tuple(a for a in range(different.ndim) if a != axis)))
        if not len(found):
            return None
        start.append(int(found[0]))
        stop.append(int(found[-1]) + 1)
    return Box(tuple(start), tuple(stop))
