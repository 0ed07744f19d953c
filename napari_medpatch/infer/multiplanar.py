"""A 2D model along all three axes of a volume, its probabilities averaged.

Each plane sees what the others cannot: errors that jump from slice to slice along one axis are outvoted by the
two others (Roth et al., *A new 2.5D representation for lymph node detection*, MICCAI 2014; Perslev et al.,
*One network to segment them all*, MICCAI 2019, average views of one 2D network). It costs three times the work.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.events import BlockSegmented, Event, Finished, Job, Noted, Started, Working
from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.infer.clean.job import CleanResult, clean_up
from napari_medpatch.infer.mask_canvas import MaskCanvas
from napari_medpatch.infer.overlap import decider
from napari_medpatch.infer.postprocess import rule_steps
from napari_medpatch.infer.segment_records import SegmentResult, SegmentSettings
from napari_medpatch.infer.working_grid import FloatArray
from napari_medpatch.io.source import Source
from napari_medpatch.models.network_facts import network_facts

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.models.card import ModelCard

AXES = (0, 1, 2)
_UNITS = 100
_PIECE_FLOATS = 2_000_000
_LEAST = 1 / 1530
"""Half of the smallest mean of three probabilities in 255ths."""

Sums = npt.NDArray[np.uint16]


def segment_all_axes(source: Source, bundle: "Bundle", settings: SegmentSettings, parts: Path | None = None) -> Job:
    """Segment a volume slice by slice along each axis in turn and average; a job.

    Parameters, events and errors are those of :func:`napari_medpatch.infer.segment.segment`. While it runs, blocks
    show the axis under way; those of the average come last.
    """
    from napari_medpatch.infer.segment import segment

    begun = time.perf_counter()
    single = replace(settings, probabilities=True, uncertainty=False, postprocess=False)
    sums: Sums | None = None
    for axis in AXES:
        folder = parts / f"axis-{axis}" if parts is not None else None
        job = segment(source, bundle, replace(single, axis=axis), parts=folder)
        result: SegmentResult = yield from _along(job, axis, settings.probabilities)
        maps = np.asarray(result.probabilities)
        sums = maps.astype(np.uint16) if sums is None else np.add(sums, maps, out=sums)
    if sums is None:
        raise ValueError("a volume has axes")
    canvas = MaskCanvas(
        sums.shape[1:], len(sums), probabilities=settings.probabilities, uncertainty=settings.uncertainty
    )
    yield from _averaged(sums, canvas, bundle.card, settings)
    cleaned = (yield from _cleaned(canvas, result, bundle.card, source)) if settings.postprocess else None
    facts: dict[str, Any] = dict(result.provenance) | {"slice_axis": "all"}
    facts |= {"postprocess": dict(bundle.card.postprocess)} if settings.postprocess else {}
    facts |= {"clean_up": [cleaned.provenance] if cleaned is not None else []}
    yield Finished(
        replace(
            result,
            mask=canvas.mask,
            probabilities=canvas.maps,
            uncertainty=canvas.uncertainty,
            seconds=time.perf_counter() - begun,
            provenance=facts,
            cleaned=cleaned.undo if cleaned is not None else None,
        )
    )


def _along(job: Job, axis: int, maps: bool) -> Generator[Event, None, SegmentResult]:
    """Pass on the events of one axis as a third of the whole."""
    total = 1.0
    for event in job:
        if isinstance(event, Finished):
            result: SegmentResult = event.result
        elif isinstance(event, Started):
            total = max(1, event.total or 1)
            if axis == AXES[0]:
                # The arrays of one axis are not those of the result.
                context = {key: value for key, value in event.context.items() if key != "live"}
                yield replace(event, total=len(AXES) * _UNITS, unit="steps", done=0, context=context)
        elif isinstance(event, BlockSegmented):
            done = int(_UNITS * (axis + min(1.0, event.done / total)))
            yield replace(event, done=done, probabilities=event.probabilities if maps else None)
        elif isinstance(event, Working):
            yield Working(_UNITS * (axis + min(1.0, event.done / total)))
        elif not isinstance(event, Noted) or axis == AXES[0]:
            yield event
    return result


def _averaged(sums: Sums, canvas: MaskCanvas, card: "ModelCard", settings: SegmentSettings) -> Iterator[Event]:
    """Decide by the mean probabilities, slab by slab."""
    decide = decider(card)
    threshold = settings.threshold if settings.threshold is not None else card.threshold
    rows = max(1, _PIECE_FLOATS // max(1, sums[:, 0].size))
    for start, stop in split_axis(sums.shape[1], rows):
        box = Box((start, 0, 0), (stop, *sums.shape[2:]))
        relative = _relative(sums[:, start:stop], card)
        made = decide(relative, threshold, maps=settings.probabilities, uncertainty=settings.uncertainty)
        canvas.put(box, made)
        yield BlockSegmented(len(AXES) * _UNITS, box, made.labels, made.probabilities, made.uncertainty)


def _relative(sums: Sums, card: "ModelCard") -> FloatArray:
    """Return logits of the mean probabilities, against the background or, of overlapping classes, their absence."""
    shares = sums.astype(np.float32) / np.float32(255 * len(AXES))
    absent = 1 - shares if network_facts(card).multi_label else 1 - shares.sum(axis=0)
    result: FloatArray = np.log(np.maximum(shares, _LEAST)) - np.log(np.maximum(absent, _LEAST))
    return result


def _cleaned(
    canvas: MaskCanvas, result: SegmentResult, card: "ModelCard", source: Source
) -> Generator[Event, None, CleanResult | None]:
    """Clean the averaged mask by the card's rules and send what changed."""
    unit = "mm" if source.spacing is not None else "px"
    voxel = source.spacing.values if source.spacing is not None else (1.0,) * 3
    steps = rule_steps(card.postprocess, result.class_names, unit)
    if not steps:
        return None
    done = len(AXES) * _UNITS
    for event in clean_up(voxel, canvas.mask, steps, class_names=result.class_names, unit=unit):
        if isinstance(event, Finished):
            cleaned: CleanResult = event.result
        elif isinstance(event, Working):
            yield Working(done)
    box = canvas.replace_mask(cleaned.mask)
    if box is not None:
        piece = canvas.piece(box)
        yield BlockSegmented(done, box, piece.labels, piece.probabilities, piece.uncertainty)
    return cleaned
