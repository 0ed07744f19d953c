"""The main job on sample data: open, run, retrain, export.

Used by ``napari-medpatch demo`` and ``make demo``; also the shortest example of how the parts fit.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medpatch.events import Event, Finished, Job, Noted

LUNGS = "lungs-ct-unet3d"
VESSELS = "fundus-vessels-unet2d"
TISSUE = "tissue-patches-demo"


@dataclass(frozen=True, slots=True)
class Step:
    """One job of the demonstration.

    Parameters
    ----------
    title : str
        What it does, for the progress bar.
    start : callable
        Returns the job; its files are on disk when it ends.
    """

    title: str
    start: Callable[[], Job]


def demo_steps(folder: Path, *, seconds: float = 30.0) -> list[Step]:
    """Return the jobs of the demonstration in the order people work.

    Parameters
    ----------
    folder : Path
        Where results go.
    seconds : float
        Time budget of the retraining.

    Returns
    -------
    list of Step
        Each writes under ``folder``.
    """
    return [
        Step("segment CT", lambda: segment_sample("thorax_ct", LUNGS, folder, "thorax_lungs", ".nii.gz")),
        Step("segment fundus", lambda: segment_sample("fundus", VESSELS, folder, "fundus_vessels", ".png")),
        Step("classify slide", lambda: classify_sample(folder)),
        Step("retrain", lambda: retrain_sample(folder, seconds)),
        Step("export", lambda: export_sample(folder)),
    ]


def segment_sample(sample: str, model: str, folder: Path, stem: str, suffix: str) -> Job:
    """Segment a sample and write its mask and probability map."""
    from napari_medpatch.infer.segment import segment
    from napari_medpatch.io.detect import open_source
    from napari_medpatch.io.export import write_mask, write_probabilities
    from napari_medpatch.models.registry import resolve_model
    from napari_medpatch.samples import sample_path

    with closing(open_source(sample_path(sample))) as source:
        results: list[Any] = []
        yield from _keeping(segment(source, resolve_model(model)), results)
        names = results[0].class_names
        write_mask(results[0].mask, source, folder / f"{stem}{suffix}", class_names=names)
        maps = folder / f"{stem}_probability{suffix}"
        write_probabilities(results[0].probabilities, source, maps, class_names=names)


def classify_sample(folder: Path) -> Job:
    """Classify the sample slide; writes CSV, GeoJSON, OME-TIFF and the run record."""
    from napari_medpatch.infer.classify import classify
    from napari_medpatch.io.detect import open_source
    from napari_medpatch.models.registry import resolve_model
    from napari_medpatch.samples import sample_path

    with closing(open_source(sample_path("slide"))) as source:
        yield from classify(source, resolve_model(TISSUE), out=folder)


def retrain_sample(folder: Path, seconds: float) -> Job:
    """Retrain from three painted slices; writes the bundle and the improved mask."""
    from napari_medpatch.annotate.sparse import SparseLabels
    from napari_medpatch.io.detect import open_source
    from napari_medpatch.io.export import write_mask
    from napari_medpatch.io.labels_file import read_labels
    from napari_medpatch.samples import sample_path
    from napari_medpatch.train.fine_tune import FineTuneSettings, fine_tune

    with closing(open_source(sample_path("thorax_ct"))) as source:
        painted = read_labels(sample_path("thorax_labels_sparse"), source)
        foreground = ("lung", "heart", "airway", "vessel", "nodule")[: max(1, int(painted.max()) - 1)]
        labels = SparseLabels(painted, ("background", *foreground))
        results: list[Any] = []
        settings = FineTuneSettings(seconds=seconds)
        yield from _keeping(fine_tune(source, labels, None, settings, out=folder / "retrained-model"), results)
        write_mask(results[0].mask, source, folder / "thorax_retrained.nii.gz", class_names=results[0].class_names)


def export_sample(folder: Path) -> Job:
    """Convert what the other steps wrote for other tools."""
    from napari_medpatch.io.export import export_path
    from napari_medpatch.samples import sample_path

    pairs = [
        (folder / "thorax_lungs.nii.gz", folder / "thorax_lungs.ome.tiff", sample_path("thorax_ct")),
        (folder / "fundus_vessels.png", folder / "fundus_vessels.geojson", sample_path("fundus")),
    ]
    for source, target, like in pairs:
        export_path(source, target, like=like)
        yield Noted(f"wrote {target.name}")
    yield Finished([target for _, target, _ in pairs])


def _keeping(job: Job, results: list[Any]) -> Iterator[Event]:
    """Pass a job's events on and keep its result."""
    for event in job:
        if isinstance(event, Finished):
            results.append(event.result)
        yield event
