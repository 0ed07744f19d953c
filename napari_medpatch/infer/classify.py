"""Classify the patches of a slide or photograph."""

import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.errors import NoTissueError, WrongKindError
from napari_medpatch.events import Event, Job, Noted
from napari_medpatch.infer.choose_scoring import check_settings
from napari_medpatch.infer.classify_outputs import ClassifyFiles
from napari_medpatch.infer.classify_result import DEFAULTS, ClassifyResult, ClassifySettings
from napari_medpatch.infer.classify_run import ClassifyRun
from napari_medpatch.infer.device import giving_memory_back
from napari_medpatch.infer.run_record import source_digest
from napari_medpatch.infer.tissue_search import find_tissue
from napari_medpatch.io.source import Source
from napari_medpatch.models.card import ModelCard
from napari_medpatch.patches.grid import PatchGrid, make_grid, patch_scale
from napari_medpatch.patches.presets import tiling_named
from napari_medpatch.patches.roi import Region
from napari_medpatch.patches.tissue import TissueMask

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

__all__ = ["ClassifyResult", "ClassifySettings", "classify"]


def classify(
    source: Source,
    bundle: "Bundle",
    settings: ClassifySettings = DEFAULTS,
    *,
    out: Path | str | None = None,
    tissue: TissueMask | None = None,
    roi: Region | None = None,
    keep: Path | None = None,
) -> Job:
    """Find tissue, lay patches at the model's spacing over it and score them.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    bundle : Bundle
        A patch classifier, or a slide classifier that looks at patches.
    settings : ClassifySettings
        How.
    out : path-like, optional
        Folder of ``<stem>.csv``, ``.geojson``, ``.ome.tiff`` and ``.json``. Scores are kept there while
        the job runs, so that a stopped one resumes; a finished one is read back at once.
    tissue : TissueMask, optional
        Where to look; by default the mask in the image's project, or one found by the method of ``settings.tiling``.
    roi : Region, optional
        Only patches whose centre is inside are looked at.
    keep : Path, optional
        Without ``out``: folder of the scores while the job runs, so that a stopped one resumes; removed at the end.

    Yields
    ------
    Event
        :class:`Noted` while looking for tissue; :class:`Started` with ``context`` ``grid``
        (:class:`PatchGrid`) and ``class_names``; :class:`PatchesScored` per batch (first those of an
        earlier run); :class:`Finished` with a :class:`ClassifyResult`.

    Raises
    ------
    WrongKindError, BundleError
        If the source is a volume; if the model is no patch classifier or cannot be loaded.
    GeometryError
        If overlap, stride or tiling are not possible.
    MissingSpacingError, NoTissueError
        If the pixel size of a slide is unknown, or there is nothing to classify.
    ResourceError, OutputError
        If the device does not exist or memory runs out even for one patch; if ``out`` cannot be written.
    """
    began = time.perf_counter()
    card = bundle.card
    _check(source, card, settings, roi)
    scale = patch_scale(source, card, exact=settings.exact, tiling=settings.tiling)
    image = source_digest(source)
    files = _checked_files(source, out, image)
    if scale.note:
        yield Noted(scale.note, "warning")
    tissue, origin = (tissue, "given") if tissue is not None else (yield from _search(source, settings))
    grid = _grid_on(source, card, tissue, settings, roi)
    run = ClassifyRun(source, bundle, settings, scale, grid, files, image, roi, origin, keep)
    yield from giving_memory_back(run.events(began))


def _check(source: Source, card: ModelCard, settings: ClassifySettings, roi: Region | None) -> None:
    check_settings(settings)
    if source.kind == "volume":
        raise WrongKindError(f"{source.path.name} is a volume; {card.name} classifies slides and photographs.")
    _check_region(source, roi)


def _search(source: Source, settings: ClassifySettings) -> Generator[Event, None, tuple[TissueMask, str]]:
    """Return the tissue and how it was found, as a run's record tells it."""
    found = yield from find_tissue(source, tiling_named(settings.tiling).tissue)
    return found.tissue, "corrected" if found.edited else "found"


def _checked_files(source: Source, out: Path | str | None, image: str) -> ClassifyFiles | None:
    if out is None:
        return None
    files = ClassifyFiles.of(Path(out), source.path)
    files.check(source.path, image)
    return files


def _grid_on(
    source: Source, card: ModelCard, tissue: TissueMask, settings: ClassifySettings, roi: Region | None
) -> PatchGrid:
    grid = make_grid(
        source, card, tissue, settings.overlap, stride_um=settings.stride_um, tiling=settings.tiling,
        min_tissue=settings.min_tissue, roi=roi, exact=settings.exact,
    )  # fmt: skip
    _check_cells(source, card, grid, tissue, roi)
    return grid


def _check_region(source: Source, roi: Region | None) -> None:
    shape = source.levels[0].shape
    if roi is None or roi.meets(shape):
        return
    y0, x0, y1, x1 = roi.bounds
    raise NoTissueError(
        f"The region of interest (rows {y0:.0f} to {y1:.0f}, columns {x0:.0f} to {x1:.0f}) lies outside "
        f"{source.path.name}, which has {shape[0]} rows and {shape[1]} columns; draw it on this image, in "
        "pixels of full resolution."
    )


def _check_cells(source: Source, card: ModelCard, grid: PatchGrid, tissue: TissueMask, roi: Region | None) -> None:
    if len(grid.cells):
        return
    name, size = source.path.name, f"{grid.patch_px[0]} × {grid.patch_px[1]} pixels"
    if not tissue.mask.any():
        raise NoTissueError(
            f"No tissue was found in {name}, so there is nothing to classify; "
            "check that it is the stained slide and not its label or an empty scan."
        )
    if roi is not None:
        raise NoTissueError(
            f"The region of interest holds no patch of {card.name} ({size}) on tissue of {name}; "
            "draw it larger or over tissue, or correct the tissue mask."
        )
    raise NoTissueError(
        f"The tissue in {name} is smaller than the patches of {card.name} "
        f"({size}); accept patches with less tissue (min_tissue 0.05)."
    )
