"""From the network's answer on the working grid to labels on the mask's grid."""

import math
from dataclasses import dataclass

from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.infer.decide import Decision
from napari_medpatch.infer.edges import near_border, sharpen_edges
from napari_medpatch.infer.overlap import Decider
from napari_medpatch.infer.resample import from_working
from napari_medpatch.infer.segment_plan import SegmentPlan
from napari_medpatch.infer.working_grid import FloatArray
from napari_medpatch.infer.working_image import VolumeImage

_PIECE_VOXELS = 2_000_000
"""Floats brought to the mask's grid at a time: what an event may take, and a fraction of a second."""


@dataclass(frozen=True, slots=True)
class PieceMaker:
    """How a piece of the mask is made.

    Parameters
    ----------
    plan : SegmentPlan
        Image and grids.
    classes : int
        Number of foreground classes.
    threshold : float or None
        Operating point.
    maps, uncertainty : bool
        What is made besides labels.
    air_edge : float or None
        HU that decide where the network is not sure, see :mod:`napari_medpatch.infer.edges`.
    decide : callable
        Makes labels of relative logits: :func:`napari_medpatch.infer.decide.decide`, or the rule for classes
        that overlap.
    """

    plan: SegmentPlan
    classes: int
    threshold: float | None
    maps: bool
    uncertainty: bool
    air_edge: float | None
    decide: Decider

    def pieces(self, box: Box) -> list[Box]:
        """Cut a box of the mask into slabs: all classes of the whole mask never exist as floats."""
        if not box.size:
            return []
        plane = math.prod(box.shape[1:]) * self.classes
        rows = max(1, _PIECE_VOXELS // plane)
        first = box.start[0]
        return [Box((first + a, *box.start[1:]), (first + b, *box.stop[1:])) for a, b in split_axis(box.shape[0], rows)]

    def make(self, piece: Box, relative: FloatArray, region: Box) -> Decision:
        """Bring relative logits of a working region to a piece of the mask."""
        output = self.plan.output
        need = output.working_box(piece)
        part = relative[(slice(None), *need.shift([-a for a in region.start]).slices)]
        values = from_working(part, output, piece, origin=need.start)
        made = self.decide(values, self.threshold, maps=self.maps, uncertainty=self.uncertainty)
        if self.air_edge is not None and isinstance(self.plan.image, VolumeImage):
            hu = self.plan.image.working_values[need.slices]
            near = near_border(part, hu, output, piece, need.start)
            sharpen_edges(made.labels, values, self.plan.image.values(piece), self.air_edge, near)
        if self.plan.keep is not None:
            outside = ~self.plan.keep[piece.slices]
            for plane in (made.labels, *(made.probabilities if made.probabilities is not None else ())):
                plane[outside] = 0
            if made.uncertainty is not None:
                made.uncertainty[outside] = 0
        return made
