"""Jobs of the Measure tab: the core's, with what the window shows besides."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.events import Finished, Job, Started

if TYPE_CHECKING:
    from napari_medpatch.evaluate.settings import EvaluationSettings
    from napari_medpatch.plugin.mask_layers import MaskLayers


def measuring(masks: "MaskLayers", settings: "EvaluationSettings") -> Job:
    """Measure masks; the result is a pair of the core's result and the error map (None without a truth)."""
    from napari_medpatch.evaluate.error_map import error_map

    result: Any = None
    for event in masks.job(settings):
        if isinstance(event, Finished):
            result = event.result
        else:
            yield event
    errors = None if masks.truth is None else error_map(masks.prediction, masks.truth, masks.keep)
    yield Finished((result, errors))


def writing_report(folder: Path, result: Any, masks: "MaskLayers") -> Job:
    """Write the report of a result; the job's result is the page."""
    from napari_medpatch.evaluate.masks import to_mask
    from napari_medpatch.evaluate.outputs import write_results
    from napari_medpatch.evaluate.progress import working

    yield Started(1, "report")
    prediction, truth = (None if each is None else to_mask(each, "mask") for each in (masks.prediction, masks.truth))
    job = write_results(folder, result, prediction, truth, keep=masks.keep, backdrop=masks.backdrop())
    path = yield from working(job)
    yield Finished(path)
