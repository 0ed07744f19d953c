"""One slide of many, here or on a worker: opened, skipped if finished, scored; a bad one is an outcome."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.cohort_outcome import SlideOutcome
from napari_medpatch.cohort_plan import SlideTask, is_folder_of_patches
from napari_medpatch.errors import BundleError, MedPatchError
from napari_medpatch.events import Event, Finished, Job, Started
from napari_medpatch.infer.run_record import plain

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

_log = logging.getLogger(__name__)


def slide_job(task: SlideTask, bundle: "Bundle") -> Job:
    """Classify one slide of many.

    Yields
    ------
    Event
        Those of :func:`napari_medpatch.infer.classify.classify`, but :class:`Finished` has a
        :class:`SlideOutcome`, of state ``"failed"`` where that function would raise.

    Raises
    ------
    BundleError
        If the model is at fault: no slide can succeed.
    """
    began = time.perf_counter()
    if task.refusal:
        yield Finished(SlideOutcome(task.path, "failed", reason=task.refusal))
        return
    try:
        yield from _outcome(task, bundle, began)
    except BundleError:
        raise
    except MedPatchError as error:
        yield Finished(_failure(task, str(error), began))
    except Exception as error:  # noqa: BLE001 - a defect that one slide uncovers must not cost a night's work
        _log.exception("Classifying %s failed unexpectedly.", task.path)
        yield Finished(_failure(task, f"Unexpected {type(error).__name__}: {error}", began))


def _failure(task: SlideTask, reason: str, began: float) -> SlideOutcome:
    return SlideOutcome(task.path, "failed", seconds=time.perf_counter() - began, reason=" ".join(reason.split()))


def _outcome(task: SlideTask, bundle: "Bundle", began: float) -> Iterator[Event]:
    fresh = True
    for event in _events(task, bundle):
        if isinstance(event, Started):
            fresh = event.done < event.total
        if isinstance(event, Finished):
            state = "done" if fresh else "skipped"
            event = Finished(_success(task, event.result, state, time.perf_counter() - began))
        yield event


def _events(task: SlideTask, bundle: "Bundle") -> Iterator[Event]:
    if is_folder_of_patches(task.file):
        from napari_medpatch.infer.classify_folder import classify_folder

        yield from classify_folder(Path(task.file), bundle, task.settings, out=task.out)
        return
    from napari_medpatch.infer.classify import classify
    from napari_medpatch.io.detect import open_source

    with closing(open_source(task.file, mpp=task.mpp)) as source:
        yield from classify(source, bundle, task.settings, out=task.out)


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
