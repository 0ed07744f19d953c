"""Learn from what is painted on one image, within a minute.

First a training-free estimate of the whole image is made from the paint (random forest on filter responses, painted
slices carried along the optical flow) and shown; then a small U-Net is trained on the paint and, where the estimate is
sure, on the estimate. The mask blends both in the way that scores best on paint that was held out. The bundle is the
U-Net alone and works on further images.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import KeptElsewhereError, LabelsError
from napari_medpatch.events import Finished, Job
from napari_medpatch.infer.device import giving_memory_back
from napari_medpatch.io.source import Source
from napari_medpatch.models.bundle import check_bundle_folder
from napari_medpatch.train.config import FineTuneSettings
from napari_medpatch.train.fine_tune_result import FineTuneResult
from napari_medpatch.train.fine_tune_run import FineTuneRun
from napari_medpatch.train.starting_point import check_base, names_after_base

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

__all__ = ["FineTuneResult", "FineTuneSettings", "fine_tune"]


def fine_tune(
    source: Source,
    labels: SparseLabels,
    base: "Bundle | None" = None,
    settings: FineTuneSettings | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
) -> Job:
    """Train a U-Net on sparse labels of one image; a job.

    Parameters
    ----------
    source : Source
        Volume, photograph or slide.
    labels : SparseLabels
        Painted on it; copied when the job begins. What was interpolated or predicted (``labels.origins``) is left out
        unless the settings say otherwise, and no score ever counts it.
    base : Bundle, optional
        Model to begin with. Another set of classes keeps its body and gets new outputs for new names. Classes named
        "class 1", "class 2"… take the base's names if there are as many.
    settings : FineTuneSettings, optional
        Budget, device, seed.
    out : path-like, optional
        Folder of the new bundle, written when training ends or is stopped; else a temporary one.

    Yields
    ------
    Started
        ``unit`` is ``"seconds"`` or ``"steps"``; ``context`` as of ``segment``.
    Working, StepDone
        Several times a second.
    Noted, Validated
        For example a class that is not painted; scores on paint that was held out, if there is enough.
    BlockSegmented
        With ``settings.predict``: the estimate after some seconds, the blend at the end.
    Finished
        With a :class:`FineTuneResult`.

    Raises
    ------
    GeometryError, LabelsError
        If nothing can be learnt from the labels.
    BundleError, WrongKindError, MissingSpacingError
        If base and image do not go together, or the image's pixel size is needed and unknown.
    OutputError
        If ``out`` cannot be written or lacks room; a folder with other files than a model's is a ``BundleError``.
    KeptElsewhereError
        If that happens while it trains: the model then lies where the sentence says, and ``result`` is the
        :class:`FineTuneResult`. A job that is closed raises it too, without a result.
    """
    settings = settings or FineTuneSettings()
    folder = _checked_folder(out) if out is not None else None
    given = replace(labels.snapshot(), class_names=names_after_base(labels.class_names, base))
    painted = _checked_paint(given, source)
    accepted = given.accepted_only() if settings.use_accepted and given.origins is not None else None
    if base is not None:
        check_base(base, "segment-3d" if source.kind == "volume" else "segment-2d")
    # The run has no name here, so that the network's memory is free when it ends.
    yield from giving_memory_back(_trained(FineTuneRun(source, painted, base, settings, folder, accepted)))


def _trained(run: FineTuneRun) -> Job:
    try:
        yield from run.events()
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        if run.misplaced:
            raise KeptElsewhereError(run.misplaced) from None
        raise
    if run.misplaced:
        raise KeptElsewhereError(run.misplaced, run.result())
    yield Finished(run.result())


def _checked_folder(out: str | os.PathLike[str]) -> Path:
    check_bundle_folder(out)
    return Path(out)


def _checked_paint(given: SparseLabels, source: Source) -> SparseLabels:
    """Return what was painted; refuse labels that teach nothing, saying so if they are there but were not painted."""
    painted = given.painted_only()
    try:
        painted.check(source)
    except LabelsError as error:
        if given.origins is None:
            raise
        given.check(source)
        raise LabelsError(
            "Too little of the labels was painted by hand, and interpolated or predicted ones alone teach a model "
            "only what they were made from; paint some background and some of the structure."
        ) from error
    return painted
