"""The record of a finished segmentation."""

from typing import TYPE_CHECKING, Any

from napari_medpatch.infer.segment_records import SegmentResult, SegmentSettings
from napari_medpatch.infer.unet_runner import UNetRunner

if TYPE_CHECKING:
    from napari_medpatch.infer.segment_run import SegmentRun
    from napari_medpatch.models.bundle import Bundle


def segment_result(run: "SegmentRun", bundle: "Bundle", settings: SegmentSettings, seconds: float) -> SegmentResult:
    """Return mask and maps with where they came from."""
    plan, canvas, card = run.plan, run.canvas, bundle.card
    provenance: dict[str, Any] = {
        "model": card.name,
        "weights_sha256": bundle.weights_hash(),
        "device": str(run.runner.device),
        "precision": run.runner.precision,
        "working_spacing": list(card.spacing) if card.spacing else None,
        "working_spacing_unit": card.spacing_unit,
        "working_shape": list(plan.tiling.shape),
        "downsample": list(plan.downsample),
        "slice_axis": plan.slice_axis,
        "tiling": plan.tiling.kind,
        "pass": run.network.kind,
        "blocks": run.total,
        "resumed_blocks": run.resumed,
        "air_skipped": round(run.skipped / max(1, canvas.mask.size), 4),
        "threshold": run.maker.threshold,
        "postprocess": dict(card.postprocess) if settings.postprocess else {},
        "clean_up": [run.cleaned.to_record()] if run.cleaned is not None else [],
    }
    if isinstance(run.runner, UNetRunner) and run.runner.trial is not None:
        provenance["bfloat16_speedup"] = run.runner.trial.speedup
    return SegmentResult(
        canvas.mask,
        canvas.maps,
        run.classes,
        seconds,
        provenance,
        plan.downsample,
        plan.transform,
        uncertainty=canvas.uncertainty,
        cleaned=run.cleaned,
    )
