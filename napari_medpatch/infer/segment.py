"""Segment a volume, a photograph or a slide with a U-Net."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.events import Finished, Job, Noted
from napari_medpatch.infer.block_store import BlockStore
from napari_medpatch.infer.decide import check_threshold
from napari_medpatch.infer.device import giving_memory_back
from napari_medpatch.infer.edges import air_edge
from napari_medpatch.infer.multiplanar import segment_all_axes
from napari_medpatch.infer.network_pass import network_pass
from napari_medpatch.infer.overlap import decider
from napari_medpatch.infer.piece_maker import PieceMaker
from napari_medpatch.infer.postprocess import check_rules
from napari_medpatch.infer.runner import make_runner
from napari_medpatch.infer.scan_values import check_modality
from napari_medpatch.infer.segment_fingerprint import segment_fingerprint
from napari_medpatch.infer.segment_plan import SegmentPlan, plan_segmentation
from napari_medpatch.infer.segment_records import SegmentResult, SegmentSettings
from napari_medpatch.infer.segment_result import segment_result
from napari_medpatch.infer.segment_run import SegmentRun
from napari_medpatch.io.source import Source
from napari_medpatch.models.intensity import HU_KINDS

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.models.card import ModelCard

__all__ = ["SegmentResult", "SegmentSettings", "segment"]


def segment(
    source: Source, bundle: "Bundle", settings: SegmentSettings | None = None, *, parts: Path | None = None
) -> Job:
    """Segment an image; a job.

    Parameters
    ----------
    source : Source
        A volume for CT models, a photograph or slide for colour models.
    bundle : Bundle
        A segmentation model. A 2D model with an HU window works through a volume slice by slice.
    settings : SegmentSettings, optional
        How.
    parts : Path, optional
        Folder for finished blocks while the job runs, so that a stopped or killed one goes on where it was.
        Whoever has made the result safe deletes it with
        :func:`napari_medpatch.infer.block_store.remove_blocks`.

    Yields
    ------
    Started
        ``context`` holds ``shape`` (of the mask), ``classes`` (foreground), ``downsample``, ``transform``, and
        ``live``: the arrays themselves, which fill while the job runs and end as the result's.
    BlockSegmented
        As blocks get ready. Where none is, there is background. If cleaning changes the mask, a last one
        replaces the part that changed.
    Working
        In between, several times a second.
    Finished
        With a :class:`SegmentResult`.

    Raises
    ------
    WrongKindError, MissingSpacingError, BundleError
        If model and image do not go together (an MR series and a model for CT; a volume of one value), or the model
        cannot be loaded.
    ResourceError
        If memory runs out even for the smallest blocks.
    OutputError
        If ``parts`` cannot be written.
    """
    yield from giving_memory_back(_segmented(source, bundle, settings or SegmentSettings(), parts))


def _segmented(source: Source, bundle: "Bundle", settings: SegmentSettings, parts: Path | None) -> Job:
    if settings.axis == "all" and source.kind == "volume" and bundle.card.task == "segment-2d":
        yield from segment_all_axes(source, bundle, settings, parts)
        return
    begun = time.perf_counter()
    card = bundle.card
    check_modality(source, card)
    check_threshold(settings.threshold)
    check_rules(card.postprocess, card.class_names[1:])
    plan = plan_segmentation(source, card, None if settings.axis == "all" else settings.axis)
    runner = make_runner(bundle, device=settings.device, precision=settings.precision, slice_axis=plan.slice_axis)
    settings = replace(settings, skip_air=_skips_air(settings, card))
    maker = _maker(plan, settings, card)
    network = network_pass(plan, runner, card.num_classes, settings.block_voxels)
    mark = segment_fingerprint(source, bundle, settings, runner, maker, network.cores()) if parts is not None else ""
    run = SegmentRun(
        plan,
        runner,
        network,
        maker,
        card.class_names[1:],
        BlockStore(parts, mark, resume=settings.resume),
        first=_on_mask(settings.first, plan),
        skip_air=bool(settings.skip_air),
    )
    yield from run.blocks()
    if settings.postprocess and card.postprocess:
        yield from run.clean(card.postprocess)
    if not run.canvas.mask.any():
        yield Noted(f"{card.name} found no {' and no '.join(card.class_names[1:])} in {source.path.name}.", "warning")
    yield Finished(segment_result(run, bundle, settings, time.perf_counter() - begun))


def _maker(plan: SegmentPlan, settings: SegmentSettings, card: "ModelCard") -> PieceMaker:
    return PieceMaker(
        plan,
        classes=card.num_classes - 1,
        threshold=settings.threshold if settings.threshold is not None else card.threshold,
        maps=settings.probabilities,
        uncertainty=settings.uncertainty,
        air_edge=air_edge(card.postprocess) if settings.postprocess else None,
        decide=decider(card),
    )


def _on_mask(place: Sequence[float] | None, plan: SegmentPlan) -> tuple[float, ...] | None:
    """Return the place on the mask of a pixel of the image; a slide's mask is coarser."""
    if place is None:
        return None
    steps = zip(place, plan.downsample, plan.voxel, plan.transform.translate, strict=True)
    return tuple((pixel - shift * down / size) / down for pixel, down, size, shift in steps)


def _skips_air(settings: SegmentSettings, card: "ModelCard") -> bool:
    wanted = settings.skip_air if settings.skip_air is not None else card.intensity.get("skip_air", False)
    return bool(wanted) and card.intensity.get("kind") in HU_KINDS
