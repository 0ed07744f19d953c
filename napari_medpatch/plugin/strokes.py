"""The strokes of earlier sessions, in the project folder beside the image."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import KeptElsewhereError, OutputError
from napari_medpatch.events import Finished, Job, Noted, passing_on
from napari_medpatch.plugin.links import source_of

if TYPE_CHECKING:
    from pathlib import Path

    import napari.layers
    import numpy as np

    from napari_medpatch.annotate.origins import AcceptedLabels
    from napari_medpatch.annotate.sparse import SparseLabels
    from napari_medpatch.geometry import GridTransform
    from napari_medpatch.io.source import Source
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.plugin.class_list import Colour

    Save = Callable[[np.ndarray[Any, Any]], None]


def looking_for_strokes(source: "Source") -> Job:
    """Look for strokes of an earlier session, as a job; its result is a SavedLabels or None."""
    from napari_medpatch.annotate.project import Project

    yield Finished(Project.for_source(source).latest_labels())


def saver(
    image: "napari.layers.Image",
    names: Callable[[], Sequence[str]],
    colours: Callable[[], Sequence["Colour"]],
    place: "GridTransform | None" = None,
    accepted: "AcceptedLabels | None" = None,
) -> "Save":
    """Return what writes strokes into the image's project folder; called in a worker.

    Parameters
    ----------
    image : Image
        What is painted on.
    names, colours : callable
        Give the classes as they are when it writes.
    place : GridTransform, optional
        Where the labels lie on the image, if not on its own grid.
    accepted : AcceptedLabels, optional
        What of them was accepted rather than painted.
    """

    def save(labels: "np.ndarray[Any, Any]") -> None:
        from napari_medpatch.annotate.project import Project

        strokes = sparse(labels, names(), colours(), accepted)
        Project.for_source(source_of(image)).save_labels(strokes, transform=place)

    return save


def model_folder(source: "Source", name: str) -> "Path":
    """Return where a trained model goes: among the user's models, or without a name into the image's project folder."""
    from napari_medpatch.annotate.project import Project
    from napari_medpatch.models.registry import user_models_folder

    return user_models_folder() / name if name else Project.for_source(source).new_bundle("model")


def training(
    source: "Source",
    strokes: "SparseLabels",
    base: "Bundle | None",
    out: "Path",
    *,
    seconds: float,
    device: str,
    use_accepted: bool = False,
) -> Job:
    """Learn from strokes, as a job; a line about it goes to the image's project folder.

    Parameters
    ----------
    source, strokes, base
        As :func:`napari_medpatch.train.fine_tune.fine_tune`.
    out : Path
        Folder of the model.
    seconds, device, use_accepted
        Of the training's settings.
    """
    from napari_medpatch.annotate.project import Project
    from napari_medpatch.train.fine_tune import FineTuneSettings, fine_tune

    project = Project.for_source(source)
    settings = FineTuneSettings(seconds=seconds, device=device, use_accepted=use_accepted)
    try:
        result = yield from passing_on(fine_tune(source, strokes, base, settings, out=out))
    except KeptElsewhereError as error:
        if error.result is None:
            raise
        result = error.result
        yield Noted(str(error), "warning")
    try:
        where = str(result.bundle.path)
        project.record("fine-tuned", model=where, steps=result.steps, metrics=dict(result.metrics))
    except OutputError as error:
        yield Noted(str(error), "warning")
    yield Finished(result)


def sparse(
    labels: "np.ndarray[Any, Any]",
    names: Sequence[str],
    colours: Sequence["Colour"],
    accepted: "AcceptedLabels | None" = None,
) -> "SparseLabels":
    """Return labels with their classes, and where they come from unless all were painted."""
    from napari_medpatch.annotate.sparse import SparseLabels

    origins = accepted.origins(labels) if accepted is not None else None
    return SparseLabels(labels, tuple(names), tuple(colours), origins)
