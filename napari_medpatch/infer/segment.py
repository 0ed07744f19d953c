"""Segment a volume, a photograph or a slide with a U-Net."""

import time
from typing import TYPE_CHECKING

from napari_medpatch.events import Finished, Job
from napari_medpatch.infer.decide import check_threshold
from napari_medpatch.infer.edges import air_edge
from napari_medpatch.infer.postprocess import check_rules
from napari_medpatch.infer.runner import make_runner
from napari_medpatch.infer.segment_plan import plan_segmentation
from napari_medpatch.infer.segment_records import SegmentResult, SegmentSettings
from napari_medpatch.infer.segment_run import SegmentRun
from napari_medpatch.io.source import Source

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

__all__ = ["SegmentResult", "SegmentSettings", "segment"]


def segment(source: Source, bundle: "Bundle", settings: SegmentSettings | None = None) -> Job:
    """Segment an image; a job.

    Parameters
    ----------
    source : Source
        A volume for CT models, a photograph or slide for colour models.
    bundle : Bundle
        A segmentation model. A 2D model with an HU window works through a volume slice by slice.
    settings : SegmentSettings, optional
        How.

    Yields
    ------
    Started
        ``context`` holds ``shape`` (of the mask), ``classes`` (foreground), ``downsample`` and ``transform``.
    BlockSegmented
        As blocks get ready; they tile the mask. If cleaning changes the mask, a last one replaces the part
        that changed.
    Working
        In between, several times a second.
    Finished
        With a :class:`SegmentResult`.

    Raises
    ------
    WrongKindError, MissingSpacingError, BundleError
        If model and image do not go together, or the model cannot be loaded.
    ResourceError
        If memory runs out even for the smallest blocks.
    """
    settings = settings or SegmentSettings()
    begun = time.perf_counter()
    card = bundle.card
    check_threshold(settings.threshold)
    check_rules(card.postprocess, card.class_names[1:])
    plan = plan_segmentation(source, card, settings.axis)
    runner = make_runner(bundle, device=settings.device, precision=settings.precision, slice_axis=plan.slice_axis)
    edge = air_edge(card.postprocess) if settings.postprocess else None
    run = SegmentRun(plan, runner, settings, card.class_names[1:], _threshold(settings, card.threshold), edge)
    yield from run.blocks()
    if settings.postprocess and card.postprocess:
        yield from run.clean(card.postprocess)
    yield Finished(run.result(bundle, time.perf_counter() - begun))


def _threshold(settings: SegmentSettings, own: float | None) -> float | None:
    return settings.threshold if settings.threshold is not None else own
