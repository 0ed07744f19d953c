"""Explain a region of a slide or photograph: Grad-CAM of overlapping patches, stitched into one map.

Patches lie on the grid of a classification with overlap 0.5. Their raw maps are blended under a window that fades
towards the edges, so that no seams show, and divided once by a high percentile, so that brightness means the same
everywhere.
"""

import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError, WrongKindError
from napari_medpatch.events import Event, Finished, Job, Noted, Started, Working
from napari_medpatch.geometry import Box, GridTransform
from napari_medpatch.infer.cam_canvas import Canvas, HeatGrid, RegionPlan, normalised, plan_region
from napari_medpatch.infer.feed import Feed, PatchReader
from napari_medpatch.infer.grad_cam import CamResult, GradCam
from napari_medpatch.infer.run_record import describe_model, describe_source, plain, versions
from napari_medpatch.infer.tissue_search import find_tissue
from napari_medpatch.io.source import Source
from napari_medpatch.patches.grid import REGION_PX, patch_scale
from napari_medpatch.patches.roi import Region
from napari_medpatch.patches.tissue import TissueMask

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

__all__ = ["CamResult", "ExplainResult", "ExplainSettings", "GradCam", "explain", "write_explanation"]


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """How to explain.

    Parameters
    ----------
    device : str
        As :func:`napari_medpatch.infer.device.pick_device` takes it.
    layer : str, optional
        Name of the layer; by default the last one that has positions.
    percentile : float
        Of the raw values of the region, which becomes 1.
    threads : int
        Readers; 0 chooses.
    everywhere : bool
        Explain patches of a slide without tissue too; networks never learnt what to think of glass, and what
        they make of it outshines the tissue.
    """

    device: str = "auto"
    layer: str | None = None
    percentile: float = 99.5
    threads: int = 0
    everywhere: bool = False


DEFAULTS = ExplainSettings()


@dataclass(frozen=True, slots=True, eq=False)
class ExplainResult:
    """Where a classifier looked in a region.

    Parameters
    ----------
    heat : ndarray
        ``(rows, cols) float32``, 0…1 on one scale for the region; NaN outside the region of interest
        and where there is no tissue.
    grid : HeatGrid
        Where the map lies, in level-0 pixels.
    transform : GridTransform
        The same in the source's unit, or pixels where that is unknown.
    class_index, class_name : int, str
        What was explained.
    layer : str
        Where the maps were taken.
    files : tuple of Path
        What was written.
    provenance : mapping
        JSON-serialisable record of the run.
    """

    heat: npt.NDArray[np.float32]
    grid: HeatGrid
    transform: GridTransform
    class_index: int
    class_name: str
    layer: str
    files: tuple[Path, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)


def explain(
    source: Source,
    bundle: "Bundle",
    region: Box,
    *,
    settings: ExplainSettings = DEFAULTS,
    class_index: int | None = None,
    roi: Region | None = None,
    tissue: TissueMask | None = None,
    out: Path | str | None = None,
    cam: GradCam | None = None,
) -> Job:
    """Explain a region.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    bundle : Bundle
        A patch classifier.
    region : Box
        In level-0 pixels; what lies outside the image is left out.
    settings : ExplainSettings
        How.
    class_index : int, optional
        Which class; by default the one that the model sees in the middle of the region.
    roi, tissue : Region, TissueMask, optional
        Explain only what lies in these polygons; where tissue is, instead of the automatic mask of a slide.
    out : path-like, optional
        OME-TIFF to write, with values at their place in µm.
    cam : GradCam, optional
        A model that is loaded already, instead of loading ``bundle`` again.

    Yields
    ------
    Event
        :class:`Started` with ``context`` ``grid`` (:class:`HeatGrid`), ``heat`` (the raw map, a live view),
        ``class_index``, ``class_name`` and ``layer``; :class:`Working` per batch; :class:`Finished` with an
        :class:`ExplainResult`.

    Raises
    ------
    WrongKindError, BundleError
        If the source is a volume; if the model is no patch classifier, or cannot be explained.
    GeometryError, MissingSpacingError, OutputError
        If the region lies outside the image; if the pixel size of a slide is unknown; if ``out`` cannot be written.
    """
    began = time.perf_counter()
    plan = _planned(source, bundle, region, roi, out)
    if not settings.everywhere:
        plan = yield from _on_tissue(source, plan, tissue)
    if cam is None:
        yield Noted(f"Loading {bundle.card.name}…")
        cam = GradCam(bundle, device=settings.device, layer=settings.layer)
    chosen = _class_in_the_middle(source, cam, plan) if class_index is None else cam.checked(class_index)
    run = _Run(source, bundle, cam, plan, settings)
    yield from run.events(chosen)
    result = run.result(chosen, roi, time.perf_counter() - began)
    yield Finished(result if out is None else replace(result, files=(write_explanation(result, out),)))


def _on_tissue(source: Source, plan: RegionPlan, tissue: TissueMask | None) -> Generator[Event, None, RegionPlan]:
    if tissue is None and source.kind == "slide":
        tissue = (yield from find_tissue(source)).tissue
    return plan.only(tissue) if tissue is not None else plan


def write_explanation(result: ExplainResult, path: Path | str) -> Path:
    """Write a stitched map as OME-TIFF, values 0…1 as float32, at its place in µm.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from napari_medpatch.io.export_note import ExportNote
    from napari_medpatch.io.ome import write_ome_tiff

    channel = f"Grad-CAM {result.class_name}"
    unit = result.provenance["source"]["spacing_unit"]
    return write_ome_tiff(
        result.heat[None],
        path,
        pixel_size=result.transform.scale if unit else None,
        unit=unit or "um",
        origin=result.transform.translate if unit else None,
        channel_names=(channel,),
        axes="CYX",
        note=ExportNote("probabilities", (channel,), result.provenance),
    )


def _planned(source: Source, bundle: "Bundle", region: Box, roi: Region | None, out: Path | str | None) -> RegionPlan:
    """Check what was asked for; return the patches."""
    from napari_medpatch.io.atomic import check_writable

    if source.kind == "volume":
        raise WrongKindError(f"{source.path.name} is a volume; {bundle.card.name} looks at slides and photographs.")
    scale = patch_scale(source, bundle.card)
    block = REGION_PX * max(1.0, scale.downsample)
    plan = plan_region(region, source.levels[0].shape, scale.patch_px, roi, block)
    if not len(plan.boxes):
        raise GeometryError("The region of interest lies outside the image; draw it again, or choose another file.")
    if out is not None:
        check_writable(Path(out))
    return plan


class _Run:
    """One explained region."""

    def __init__(
        self, source: Source, bundle: "Bundle", cam: GradCam, plan: RegionPlan, settings: ExplainSettings
    ) -> None:
        self.source, self.bundle, self.cam, self.plan, self.settings = source, bundle, cam, plan, settings
        self.canvas = Canvas(plan)

    def events(self, class_index: int) -> Generator[Event]:
        import torch

        from napari_medpatch.infer.cam_layers import enlarge

        names = self.bundle.card.class_names
        facts = {"class_index": class_index, "class_name": names[class_index], "layer": self.cam.layer}
        context = {"grid": self.plan.grid, "heat": self.canvas.heat, **facts}
        yield Started(len(self.plan.boxes), "patches", context=context)
        reader = _reader(self.source, self.plan.boxes)
        size = self.cam.batch_size
        done, edge = 0, (self.plan.edge, self.plan.edge)
        with closing(Feed(reader.chunks(), reader.load, batch_size=size, threads=self.settings.threads)) as feed:
            for batch in feed:
                maps, _, _ = self.cam.maps(batch.pixels, class_index)
                feed.batch_size = self.cam.batch_size
                self.canvas.add(batch.index, enlarge(torch.from_numpy(maps), edge).numpy())
                done += len(batch.index)
                yield Working(done)

    def result(self, class_index: int, roi: Region | None, seconds: float) -> ExplainResult:
        heat, top = normalised(self._in_region(roi), self.settings.percentile)
        name = self.bundle.card.class_names[class_index]
        grid, transform = self.plan.grid, self.plan.grid.transform(self.source.spacing)
        record = plain(
            {
                "task": "explain",
                "method": "Grad-CAM (Selvaraju et al. 2017)",
                "source": describe_source(self.source),
                "model": describe_model(self.bundle),
                "class": name,
                "layer": self.cam.layer,
                "raw_value_of_1": top,
                "settings": asdict(self.settings),
                "grid": asdict(grid),
                "patches": len(self.plan.boxes),
                "seconds": round(seconds, 3),
                "device": str(self.cam.device),
                "versions": versions(),
            }
        )
        return ExplainResult(heat, grid, transform, class_index, name, self.cam.layer, provenance=record)

    def _in_region(self, roi: Region | None) -> npt.NDArray[np.float32]:
        """Return the raw map, NaN outside the region of interest."""
        if roi is None:
            return self.canvas.heat
        return np.where(self.plan.grid.inside(roi), self.canvas.heat, np.float32(np.nan))


def _class_in_the_middle(source: Source, cam: GradCam, plan: RegionPlan) -> int:
    centres = (plan.boxes[:, :2] + plan.boxes[:, 2:]) / 2
    nearest = int(np.argmin(((centres - plan.grid.middle) ** 2).sum(axis=1)))
    pixels = _reader(source, plan.boxes[nearest : nearest + 1]).load(np.array([0]))
    return int(cam.maps(pixels)[2][0])


def _reader(source: Source, boxes: npt.NDArray[np.int64]) -> PatchReader:
    """Read as a classification does: level 0, black beyond the image. The gradients take longer than the reading."""
    return PatchReader(source, boxes, 0, black_outside=True)
