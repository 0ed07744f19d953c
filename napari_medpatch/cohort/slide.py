"""One slide of many, here or on a worker: opened, skipped if finished, scored; a bad one is an outcome."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.cohort.model import digest_of
from napari_medpatch.cohort.outcome import SlideOutcome
from napari_medpatch.cohort.plan import SlideTask, is_folder_of_patches
from napari_medpatch.errors import BundleError, ChoiceNeededError, MedPatchError, OutputError, WrongKindError
from napari_medpatch.events import Event, Finished, Job, Started
from napari_medpatch.infer.run_record import plain

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source
    from napari_medpatch.models.bundle import Bundle

_log = logging.getLogger(__name__)


def slide_job(task: SlideTask, bundle: "Bundle") -> Job:
    """Classify one slide of many; a bad one is an outcome, not an error.

    Yields
    ------
    Event
        As :func:`classify_task`; the outcome has the state ``"failed"`` where that function would raise.

    Raises
    ------
    BundleError
        If the model is at fault: no slide can succeed.
    """
    began = time.perf_counter()
    try:
        yield from classify_task(task, bundle)
    except BundleError:
        raise
    except MedPatchError as error:
        yield Finished(_failure(task, str(error), began))
    except Exception as error:  # noqa: BLE001 - a defect that one slide uncovers must not cost a night's work
        _log.exception("Classifying %s failed unexpectedly.", task.path)
        yield Finished(_failure(task, f"Unexpected {type(error).__name__}: {error}", began))


def classify_task(task: SlideTask, bundle: "Bundle") -> Job:
    """Open a slide, photograph or folder of patches and classify it.

    Yields
    ------
    Event
        Those of :func:`napari_medpatch.infer.classify.classify`, but :class:`Finished` has a
        :class:`napari_medpatch.cohort.outcome.SlideOutcome` of state ``"done"`` or ``"skipped"``.

    Raises
    ------
    MedPatchError
        As that function; :class:`OutputError` if the task is refused.
    """
    began = time.perf_counter()
    if task.refusal:
        raise OutputError(task.refusal)
    fresh = True
    for event in _events(task, bundle):
        if isinstance(event, Started):
            fresh = event.done < event.total
        if isinstance(event, Finished):
            state = "done" if fresh else "skipped"
            yield Finished(_success(task, event.result, state, time.perf_counter() - began))
        else:
            yield event


def _failure(task: SlideTask, reason: str, began: float) -> SlideOutcome:
    return SlideOutcome(task.path, "failed", seconds=time.perf_counter() - began, reason=" ".join(reason.split()))


def _events(task: SlideTask, bundle: "Bundle") -> Iterator[Event]:
    if is_folder_of_patches(task.file):
        from napari_medpatch.infer.classify_folder import classify_folder

        yield from classify_folder(Path(task.file), bundle, task.settings, out=task.out)
        return
    from napari_medpatch.cohort.skip import earlier_result
    from napari_medpatch.infer.classify import classify
    from napari_medpatch.io.detect import open_source

    try:
        source = open_source(task.file, mpp=task.mpp)
    except ChoiceNeededError as error:
        raise WrongKindError(f"{task.path} holds volumes; patch classifiers need slides or photographs.") from error
    with closing(source):
        earlier = earlier_result(source, task, digest_of(bundle))
        if earlier is not None:
            patches = int(earlier.provenance.get("patches", 0))
            yield Started(patches, "patches", patches)
            yield Finished(earlier)
            return
        yield from classify(source, bundle, task.settings, out=task.out, **_where(task, source))


def _where(task: SlideTask, source: "Source") -> dict[str, Any]:
    """Return the region and the tissue mask that the user gave, by the names of their parameters."""
    where: dict[str, Any] = {}
    if task.roi is not None:
        from napari_medpatch.patches.roi import region_from_geojson

        where["roi"] = region_from_geojson(task.roi)
    if task.tissue is not None:
        from napari_medpatch.io.labels_file import labels_downsample, read_labels
        from napari_medpatch.patches.tissue import TissueMask

        labels = read_labels(task.tissue, source)
        where["tissue"] = TissueMask(labels > 0, labels_downsample(labels, source))
    return where


def _success(task: SlideTask, result: Any, state: str, seconds: float) -> SlideOutcome:
    record = plain(dict(result.provenance))
    return SlideOutcome(
        task.path,
        state,
        patches=int(record.get("patches", record.get("images", 0))),
        seconds=seconds,
        score=plain(dict(getattr(result, "score", {}))),
        files=tuple(str(file) for file in result.files),
        provenance=record,
    )
