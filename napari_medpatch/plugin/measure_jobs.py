"""Jobs of the Measure tab: the core's, with what the window shows besides."""

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.events import Finished, Job, Noted, Started, passing_on
from napari_medpatch.plugin.mask_layers import renumbered

if TYPE_CHECKING:
    from napari_medpatch.evaluate.class_map import ClassMap
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
        What was measured, as it is in the layers.
    compared : MaskLayers
        The same with the values that classes counted as.
    present : tuple of tuple of int
        Classes of prediction and truth.
    class_rows, object_rows : list of dict
        Rows of the tables.
    errors : ndarray or None
        Error map; None without a truth.
    """

    result: Any
    masks: "MaskLayers"
    compared: "MaskLayers"
    present: tuple[tuple[int, ...], tuple[int, ...]]
    class_rows: list[dict[str, Any]]
    object_rows: list[dict[str, Any]]
    errors: Any = None


def measuring(masks: "MaskLayers", settings: "EvaluationSettings", maps: "tuple[ClassMap, ClassMap]") -> Job:
    """Measure masks; the job's result is :class:`Measured`.

    Parameters
    ----------
    masks : MaskLayers
        What to measure.
    settings : EvaluationSettings
        How.
    maps : tuple of ClassMap
        What classes of prediction and truth count as.
    """
    from napari_medpatch.evaluate.error_map import error_map
    from napari_medpatch.evaluate.progress import wait_for, working

    compared = yield from working(wait_for(renumbered, masks, *maps))
    result = yield from passing_on(_without_options(compared.job(settings)))
    present = yield from working(wait_for(_present, masks))
    errors = None if masks.truth is None else error_map(compared.prediction, compared.truth, masks.keep)
    yield Finished(Measured(result, masks, compared, present, result.class_rows(), result.object_rows(), errors))


def _without_options(job: Job) -> Job:
    """Pass events on; what they say names no option of the command line."""
    from napari_medpatch.evaluate.class_hints import in_words

    with closing(job):
        for event in job:
            yield replace(event, message=in_words(event.message)) if isinstance(event, Noted) else event


def writing_report(folder: Path, measured: Measured) -> Job:
    """Write the report of a measurement; the job's result is the page."""
    from napari_medpatch.evaluate.masks import to_mask
    from napari_medpatch.evaluate.outputs import write_results
    from napari_medpatch.evaluate.progress import working

    yield Started(1, "report")
    masks = measured.compared
    prediction, truth = (None if each is None else to_mask(each, "mask") for each in (masks.prediction, masks.truth))
    job = write_results(folder, measured.result, prediction, truth, keep=masks.keep, backdrop=masks.backdrop())
    path = yield from working(job)
    yield Finished(path)


def _present(masks: "MaskLayers") -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the classes of both masks."""
    prediction, truth = (_classes(values) for values in (masks.prediction, masks.truth))
    return prediction, truth


def _classes(values: Any) -> tuple[int, ...]:
    import numpy as np

    from napari_medpatch.evaluate.masks import to_mask

    if values is None:
        return ()
    counts = sum(np.bincount(part.ravel(), minlength=256) for part in to_mask(values, "mask"))
    return tuple(int(value) for value in np.flatnonzero(counts) if value)
