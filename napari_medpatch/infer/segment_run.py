"""A segmentation under way: blocks through the network, onto the mask's grid, cleaned."""

import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from napari_medpatch.events import BlockSegmented, Event, Finished, Noted, Started, Working
from napari_medpatch.geometry import Box
from napari_medpatch.infer.block_order import from_there_on
from napari_medpatch.infer.block_store import BlockStore
from napari_medpatch.infer.body import find_body
from napari_medpatch.infer.clean.history import CleanRecord
from napari_medpatch.infer.clean.job import CleanResult, clean_up
from napari_medpatch.infer.decide import relative_logits
from napari_medpatch.infer.device import check_device_works, is_out_of_memory
from napari_medpatch.infer.mask_canvas import MaskCanvas
from napari_medpatch.infer.network_pass import NetworkPass
from napari_medpatch.infer.piece_maker import PieceMaker
from napari_medpatch.infer.postprocess import rule_steps
from napari_medpatch.infer.runner import Runner
from napari_medpatch.infer.segment_plan import SegmentPlan
from napari_medpatch.infer.working_grid import FloatArray
from napari_medpatch.infer.working_image import VolumeImage
from napari_medpatch.patience import patiently, saying
from napari_medpatch.steps import telling

_LAST_PIECES_S = 0.3
"""How long a job that is closed may go on to finish a block; people who stop it wait for a second at most."""


class SegmentRun:
    """The mask so far and how much is done.

    Parameters
    ----------
    plan : SegmentPlan
        Image, resolution and cuts.
    runner : Runner
        The model.
    network : NetworkPass
        Makes its logits.
    maker : PieceMaker
        Makes labels of them.
    classes : tuple of str
        Foreground classes.
    store : BlockStore
        Keeps finished blocks.
    first : sequence of float, optional
        Voxel of the mask near which to begin.
    skip_air : bool
        Leave out what lies outside the patient.
    """

    def __init__(
        self,
        plan: SegmentPlan,
        runner: Runner,
        network: NetworkPass,
        maker: PieceMaker,
        classes: tuple[str, ...],
        store: BlockStore,
        *,
        first: Sequence[float] | None = None,
        skip_air: bool = False,
    ) -> None:
        self.plan = plan
        self.runner = runner
        self.network = network
        self.maker = maker
        self.classes = classes
        self.store = store
        self.first = first
        self.skip_air = skip_air
        self.cores = network.cores()
        self.total = sum(len(maker.pieces(plan.output.source_box(core))) for core in self.cores)
        shape = plan.output.source_shape
        self.canvas = MaskCanvas(shape, len(classes), probabilities=maker.maps, uncertainty=maker.uncertainty)
        self.voxels_done = 0
        self.done = 0
        self.resumed = 0
        self.skipped = 0
        self.cleaned: CleanRecord | None = None

    def blocks(self) -> Iterator[Event]:
        """Run the network over all blocks that an earlier run did not finish."""
        plan = self.plan
        kept = self._load()
        context = {
            "shape": self.canvas.mask.shape,
            "classes": self.classes,
            "downsample": plan.downsample,
            "transform": plan.transform,
            "live": self.canvas,
        }
        yield Started(self.total, "blocks", done=self.resumed, context=context)
        if kept:
            yield Noted(f"{self.resumed} of {self.total} blocks were finished by an earlier run and are kept.")
        for box in kept:
            yield self._segmented(box)
        try:
            for _ in plan.image.prepare():
                yield Working(self.done)
            for note in plan.image.notes():
                yield Noted(note, "warning")
            cores = (yield from self._without_air()) if self.skip_air else self.cores
            yield from self._run([core for core in cores if not self._is_known(core, kept)])
        finally:
            # Whoever stops the job keeps what is done.
            self.store.flush()

    def clean(self, rules: Mapping[str, Any]) -> Iterator[Event]:
        """Clean the mask and send what changed."""
        plan = self.plan
        steps = rule_steps(rules, self.classes, plan.unit, share=plan.share)
        for event in clean_up(plan.voxel, self.canvas.mask, steps, class_names=self.classes, unit=plan.unit):
            if isinstance(event, Finished):
                yield from self._take(event.result)
            elif isinstance(event, Working):
                yield Working(self.total)

    def _take(self, cleaned: CleanResult) -> Iterator[Event]:
        self.cleaned = cleaned.undo
        box = self.canvas.replace_mask(cleaned.mask)
        if box is not None:
            self.done = self.total
            yield self._segmented(box)

    def _run(self, cores: Sequence[Box]) -> Iterator[Event]:
        boxes = [self.plan.output.source_box(core) for core in cores]
        waiting = deque(cores[index] for index in from_there_on(boxes, self.first))
        while waiting:
            core = waiting.popleft()
            box = self.plan.output.source_box(core)
            if not box.size:
                # The image is coarser than the model here: none of its voxels lies in this block.
                continue
            region = self.plan.output.working_box(box)
            try:
                relative = yield from self._network(region, box)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    check_device_works(error, self.runner.device)
                    raise
                self.runner.release()
                waiting = deque(self.network.without_memory(core, waiting))
                continue
            yield from self._finish(box, relative, region)

    def _network(self, region: Box, box: Box) -> Generator[Event, None, FloatArray]:
        """Return the relative logits of a region."""
        before = self.voxels_done
        yield Working(max(self.done, self._units(before)))

        def so_far(share: float) -> Event:
            return Working(max(self.done, self._units(before + share * 0.9 * box.size)))

        return relative_logits((yield from telling(self.network.logits(region), so_far)))

    def _finish(self, box: Box, relative: FloatArray, region: Box) -> Iterator[Event]:
        """Bring a block to the mask's grid, piece by piece, and keep it."""
        pieces = deque(self.maker.pieces(box))
        try:
            while pieces:
                yield self._next_piece(pieces, relative, region)
        except GeneratorExit:
            # The network's part is done, and only whole blocks are kept.
            end = time.monotonic() + _LAST_PIECES_S
            while pieces and time.monotonic() < end:
                self._next_piece(pieces, relative, region)
            raise
        finally:
            if not pieces and self.store.keeps:
                self.store.add(box, self.canvas.planes(box))

    def _next_piece(self, pieces: deque[Box], relative: FloatArray, region: Box) -> BlockSegmented:
        """Make the first of the pieces and take it off the list."""
        piece = pieces[0]
        made = self.maker.make(piece, relative, region)
        self.canvas.put(piece, made)
        self._advance(piece.size)
        pieces.popleft()
        return BlockSegmented(self.done, piece, made.labels, made.probabilities, made.uncertainty)

    def _load(self) -> list[Box]:
        """Take in the blocks of an earlier run; returns their places."""
        kept = [box for box, planes in self.store.load() if self.canvas.put_planes(box, planes)]
        for box in kept:
            self._advance(box.size)
        self.resumed = sum(len(self.maker.pieces(box)) for box in kept)
        return kept

    def _is_known(self, core: Box, kept: Sequence[Box]) -> bool:
        """Whether blocks of an earlier run fill a core; want of memory may have cut it."""
        box = self.plan.output.source_box(core)
        return bool(box.size) and sum(other.size for other in kept if _holds(box, other)) == box.size

    def _without_air(self) -> Generator[Event, None, list[Box]]:
        """Crop the cores to the patient."""
        image = self.plan.image
        if not isinstance(image, VolumeImage) or (spacing := image.spacing_mm) is None:
            return self.cores
        body = yield from saying(Working(self.done), patiently(find_body, image.working_values, spacing))
        if body is None:
            return self.cores
        cores = self.network.cropped(self.cores, body.crop)
        self.skipped = self.canvas.mask.size - sum(self.plan.output.source_box(core).size for core in cores)
        self._advance(self.skipped)
        return cores

    def _segmented(self, box: Box) -> BlockSegmented:
        piece = self.canvas.piece(box)
        return BlockSegmented(self.done, box, piece.labels, piece.probabilities, piece.uncertainty)

    def _advance(self, voxels: int) -> None:
        self.voxels_done += voxels
        self.done = min(self.total, math.ceil(self._units(self.voxels_done) - 1e-6))

    def _units(self, voxels: float) -> float:
        """Return progress in blocks; a block that was split for want of memory still counts as one."""
        return self.total * voxels / self.canvas.mask.size


def _holds(box: Box, other: Box) -> bool:
    pairs = zip(box.start, other.start, other.stop, box.stop, strict=True)
    return all(a <= c and d <= b for a, c, d, b in pairs)
