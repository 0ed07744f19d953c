"""Probabilities of the working grid as a mask of the image."""

from collections.abc import Iterator

import numpy as np

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.events import BlockSegmented
from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.infer.resample import from_working
from napari_medpatch.infer.segment_plan import SegmentPlan
from napari_medpatch.train.features import FloatArray

_PIECE_VOXELS = 2_000_000


def mask_blocks(probabilities: FloatArray, plan: SegmentPlan, labels: LabelArray) -> Iterator[BlockSegmented]:
    """Bring probabilities to the mask's grid, slab by slab: classes at full resolution never exist as floats.

    Parameters
    ----------
    probabilities : ndarray
        ``(C, *working)`` float32, background first.
    plan : SegmentPlan
        Where the mask lies.
    labels : ndarray
        Sparse labels. Where they lie on the mask's grid, what was painted stands.

    Yields
    ------
    BlockSegmented
        Slabs along the first axis, in order.
    """
    shape = plan.output.source_shape
    painted = labels if labels.shape == shape else None
    rows = max(1, _PIECE_VOXELS // max(1, int(np.prod(shape[1:]))))
    for done, (start, stop) in enumerate(split_axis(shape[0], rows), start=1):
        box = Box((start, *[0] * (len(shape) - 1)), (stop, *shape[1:]))
        near = plan.output.working_box(box)
        part = from_working(
            np.ascontiguousarray(probabilities[(slice(None), *near.slices)]), plan.output, box, origin=near.start
        )
        if plan.keep is not None:
            part[1:, ~plan.keep[box.slices]] = 0
            part[0, ~plan.keep[box.slices]] = 1
        if painted is not None:
            _stand(part, painted[box.slices])
        yield BlockSegmented(
            done, box, part.argmax(axis=0).astype(np.uint8), (part[1:] * 255 + 0.5).clip(0, 255).astype(np.uint8)
        )


def _stand(part: FloatArray, painted: LabelArray) -> None:
    """Make painted pixels certain, in place."""
    where = painted > 0
    if where.any():
        for index in range(len(part)):
            part[index][where] = painted[where] == index + 1
