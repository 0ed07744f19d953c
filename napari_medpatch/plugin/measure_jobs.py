"""Jobs of the Measure tab: the core's, with what the window shows besides."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.events import Finished, Job, Started

if TYPE_CHECKING:
    from napari_medpatch.evaluate.settings import EvaluationSettings
    from napari_medpatch.plugin.mask_layers import MaskLayers


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measurement found, made ready for the window in the worker.

    Parameters
    ----------
    result : EvaluationResult or VolumesResult
        Of the core's job.
    masks : MaskLayers
        What was measured.
    class_rows, object_rows : list of dict
        Rows of the tables.
    errors : ndarray or None
        Error map; None without a truth.
    """

    result: Any
    masks: "MaskLayers"
    class_rows: list[dict[str, Any]]
    object_rows: list[dict[str, Any]]
    errors: Any = None


def measuring(masks: "MaskLayers", settings: "EvaluationSettings") -> Job:
    """Measure masks; the job's result is :class:`Measured`."""
    from napari_medpatch.evaluate.error_map import error_map

    result: Any = None
    for event in masks.job(settings):
        if isinstance(event, Finished):
            result = event.result
        else:
            yield event
    errors = None if masks.truth is None else error_map(masks.prediction, masks.truth, masks.keep)
    yield Finished(Measured(result, masks, result.class_rows(), result.object_rows(), errors))


def writing_report(folder: Path, measured: Measured) -> Job:
    """Write the report of a measurement; the job's result is the page."""
    from napari_medpatch.evaluate.masks import to_mask
    from napari_medpatch.evaluate.outputs import write_results
    from napari_medpatch.evaluate.progress import working

    yield Started(1, "report")
    masks = measured.masks
    prediction, truth = (None if each is None else to_mask(each, "mask") for each in (masks.prediction, masks.truth))
    job = write_results(folder, measured.result, prediction, truth, keep=masks.keep, backdrop=masks.backdrop())
    path = yield from working(job)
    yield Finished(path)
