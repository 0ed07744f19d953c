"""Segmentation jobs and their logits on a device, for the comparison with another one."""

from typing import Any

import numpy as np

from napari_medpatch.events import run
from napari_medpatch.infer.network_pass import network_pass
from napari_medpatch.infer.runner import make_runner
from napari_medpatch.infer.segment import SegmentResult, SegmentSettings, segment
from napari_medpatch.infer.segment_plan import plan_segmentation
from napari_medpatch.io.source import Source
from napari_medpatch.models.bundle import Bundle


def segmented(source: Source, bundle: Bundle, device: str, **settings: Any) -> SegmentResult:
    """Run a whole job."""
    result: SegmentResult = run(segment(source, bundle, SegmentSettings(device=device, **settings)))
    return result


def logits(source: Source, bundle: Bundle, device: str, *, block_voxels: int | None = None, axis: Any = None) -> Any:
    """Return the logits of the whole working grid, ``(K, *spatial)`` float32, and how many blocks they came in."""
    plan = plan_segmentation(source, bundle.card, axis)
    list(plan.image.prepare())
    runner = make_runner(bundle, device=device, slice_axis=plan.slice_axis)
    network = network_pass(plan, runner, bundle.card.num_classes, block_voxels)
    whole = np.zeros((bundle.card.num_classes, *plan.tiling.shape), np.float32)
    cores = network.cores()
    for core in cores:
        steps = network.logits(core)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                whole[(slice(None), *core.slices)] = end.value.cpu().numpy()
                break
    return whole, len(cores)


def share_of_difference(one: SegmentResult, other: SegmentResult) -> float:
    """Return the share of voxels that two masks label differently."""
    return float((one.mask != other.mask).mean())
