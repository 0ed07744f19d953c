"""Classify many slides, one after another on this machine or side by side on a dask cluster."""

import os
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from napari_medpatch.cohort.model import keep_loaded
from napari_medpatch.cohort.outcome import CohortResult, SlideOutcome
from napari_medpatch.cohort.plan import SlideTask, naming, plan
from napari_medpatch.cohort.slide import slide_job
from napari_medpatch.events import (
    Event,
    Finished,
    Job,
    Noted,
    PatchesScored,
    SlideDone,
    SlideProgress,
    Started,
    Working,
)
from napari_medpatch.infer.classify_result import DEFAULTS, ClassifySettings

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

__all__ = ["CohortResult", "SlideOutcome", "classify_many"]


def classify_many(
    paths: Iterable[str | os.PathLike[str]],
    model: "str | os.PathLike[str] | Bundle",
    settings: ClassifySettings = DEFAULTS,
    out: str | os.PathLike[str] = ".",
    *,
    scheduler: Any = None,
    mpp: tuple[float, float] | None = None,
    roi: str | os.PathLike[str] | None = None,
    tissue: str | os.PathLike[str] | None = None,
) -> Job:
    """Classify slides into one folder; finished ones are skipped, a bad one does not stop the others.

    Parameters
    ----------
    paths : sequence of path-like
        Slides, photographs, folders of patches, or patterns such as ``"slides/*.svs"``. Of two slides of
        the same stem the second fails, because its results would overwrite the first's.
    model : str, path-like or Bundle
        A patch classifier, or what :func:`napari_medpatch.models.registry.resolve_model` finds.
    settings : ClassifySettings
        How, for all slides.
    out : path-like
        Folder of the results: the files of :func:`napari_medpatch.infer.classify.classify` for each slide.
    scheduler : str or distributed.Client, optional
        Address (``"tcp://host:8786"``) or scheduler file of a dask cluster, or a client of it. Slides, model
        and results must lie in folders that all workers share under the same path.
    mpp : (float, float), optional
        ``(y, x)`` µm per pixel of level 0, for files that do not say.
    roi : path-like, optional
        GeoJSON of the region to look at; a folder of ``<stem>.geojson`` for more than one slide.
    tissue : path-like, optional
        Image of where tissue is, instead of the automatic mask; a folder of ``<stem>.png`` for more than one.

    Yields
    ------
    Event
        :class:`Started` in slides; :class:`SlideProgress` and :class:`Noted` of single slides;
        :class:`SlideDone` with a :class:`SlideOutcome` after each; :class:`Finished` with a
        :class:`CohortResult`.

    Raises
    ------
    UnsupportedFormatError
        If nothing matches a pattern, or one region or mask is given for several slides.
    BundleError
        If the model is at fault, which no slide can help.
    ResourceError
        If this machine lacks the device that the settings name.
    OutputError
        If ``out`` cannot be written.
    ClusterError
        If the cluster cannot be reached, is lost, or its machines have other versions.
    """
    bundle = _bundle(model)
    tasks = plan(paths, out, settings, mpp=mpp, roi=roi, tissue=tissue)
    yield from _local_job(tasks, bundle) if scheduler is None else _cluster_job(tasks, bundle, scheduler)


def _cluster_job(tasks: tuple[SlideTask, ...], bundle: "Bundle", scheduler: Any) -> Job:
    from napari_medpatch.cohort.cluster import cluster_job

    return cluster_job(tasks, bundle, scheduler)


def _bundle(model: "str | os.PathLike[str] | Bundle") -> "Bundle":
    from napari_medpatch.models.registry import resolve_model

    return resolve_model(model) if isinstance(model, str | os.PathLike) else model


def _check_device(name: str) -> None:
    """Refuse a device that this machine lacks once, not slide by slide."""
    if name not in ("auto", "cpu"):
        from napari_medpatch.infer.device import pick_devices

        pick_devices(name)


def _local_job(tasks: tuple[SlideTask, ...], bundle: "Bundle") -> Job:
    if tasks:
        _check_device(tasks[0].settings.device)
    kept = keep_loaded(bundle, tasks[0].settings) if tasks else bundle
    outcomes: list[SlideOutcome] = []
    yield Started(len(tasks), "slides", context={"paths": [task.path for task in tasks]})
    for number, task in enumerate(tasks):
        outcome = yield from _one(number, task, kept)
        outcomes.append(outcome)
        yield SlideDone(number + 1, outcome)
    yield Finished(CohortResult(tuple(outcomes)))


def _one(number: int, task: SlideTask, bundle: "Bundle") -> Generator[Event, None, SlideOutcome]:
    """Pass the events of one slide on as those of many."""
    total = 0
    yield SlideProgress(number, task.path, 0, 0)
    with closing(slide_job(task, bundle)) as job:
        for event in job:
            match event:
                case Finished():
                    return event.result  # type: ignore[no-any-return]
                case Noted():
                    yield Noted(naming(task.path, event.message), event.level)
                case Started():
                    total = event.total
                    yield SlideProgress(number, task.path, event.done, total)
                case PatchesScored() | Working():
                    yield SlideProgress(number + event.done / max(total, 1), task.path, int(event.done), total)
                case _:
                    pass
    raise AssertionError("slide_job ends with an outcome")
