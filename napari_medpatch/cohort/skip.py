"""Slides that an earlier run finished, told by their records: without looking for tissue, without the model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch import __version__
from napari_medpatch.cohort.plan import SlideTask
from napari_medpatch.infer.classify_outputs import ClassifyFiles
from napari_medpatch.infer.run_record import describe_source, plain, source_digest
from napari_medpatch.infer.score_store import read_record
from napari_medpatch.patches.kept_tissue import kept_tissue
from napari_medpatch.patches.presets import tiling_named

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source

_HOW_NOT_WHAT = {"device", "batch_size", "resume", "threads"}
"""Settings that do not decide the scores."""


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """What an earlier run left, as far as a table of slides needs it.

    Parameters
    ----------
    provenance : mapping
        Record of that run.
    score : mapping
        Of the slide.
    files : tuple of Path
        On disk.
    """

    provenance: Mapping[str, Any]
    score: Mapping[str, Any]
    files: tuple[Path, ...]


def earlier_result(source: "Source", task: SlideTask, model: str) -> EarlierResult | None:
    """Return the result of a finished run with the same image, model, version and settings.

    Parameters
    ----------
    source : Source
        The opened slide.
    task : SlideTask
        What is to be done with it.
    model : str
        Digest of the model.

    Returns
    -------
    EarlierResult or None
        None also where the record does not tell: a region, a mask that was given or corrected. Then
        :func:`napari_medpatch.infer.classify.classify` compares the patches themselves.
    """
    if task.roi is not None or task.tissue is not None or not task.settings.resume:
        return None
    files = replace(ClassifyFiles.of(Path(task.out), source.path), compress=task.settings.compress)
    record = read_record(files.record)
    wanted = _decisive(plain(asdict(task.settings)))
    same = (
        record.get("tissue") == "found"
        and record.get("roi") is None
        and _decisive(record.get("settings", {})) == wanted
        and record.get("versions", {}).get("napari_medpatch") == __version__
        and record.get("model", {}).get("digest") == model
        and record.get("source", {}).get("spacing") == plain(describe_source(source))["spacing"]
        and record.get("source_digest") == source_digest(source)
    )
    if not same or not files.complete or _is_corrected(source, task):
        return None
    provenance = {key: value for key, value in record.items() if key != "score"}
    return EarlierResult(provenance, record.get("score", {}), files.all)


def _decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in _HOW_NOT_WHAT}


def _is_corrected(source: "Source", task: SlideTask) -> bool:
    """Whether the user corrected the tissue mask since."""
    kept = kept_tissue(source, tiling_named(task.settings.tiling).tissue)
    return kept is not None and kept.edited
