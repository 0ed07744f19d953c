"""Fill between painted slices, as a proposal."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.fill_planes import FilledPlane, fill_by_image, fill_by_shape
from napari_medpatch.annotate.interpolate_checks import check_planes, check_result, wanted_values
from napari_medpatch.annotate.interpolate_records import InterpolateSettings, InterpolationResult
from napari_medpatch.annotate.painted_planes import AXES, PaintedPlane, across, best_axis, painted_planes
from napari_medpatch.annotate.shape_planes import ShapePlanes
from napari_medpatch.annotate.signed_distance import Bools
from napari_medpatch.annotate.sparse import LabelArray, SparseLabels, value_counts
from napari_medpatch.annotate.walker_slab import band_width
from napari_medpatch.errors import WrongKindError
from napari_medpatch.events import Finished, Job, Started, Working
from napari_medpatch.geometry import Box
from napari_medpatch.io.source import Source
from napari_medpatch.patience import patiently

__all__ = ["InterpolateSettings", "InterpolationResult", "interpolate"]


def interpolate(source: Source, labels: SparseLabels, settings: InterpolateSettings | None = None) -> Job:
    """Propose labels between painted slices; a job.

    Between two neighbouring painted slices the signed distance of each class is interpolated and the largest
    wins, so classes never overlap. A part that lies in one of the two only ends half-way. Nothing is proposed
    beyond the outermost slices that speak of a class unless ``settings.beyond`` says so, and painted voxels are
    never changed; :func:`napari_medpatch.annotate.accept.accept` fills a proposal in.

    Parameters
    ----------
    source : Source
        The volume; only ``"walker"`` looks at its voxels.
    labels : SparseLabels
        Painted on its grid; copied when the job begins, so painting may go on.
    settings : InterpolateSettings, optional
        Axis, method, classes.

    Yields
    ------
    Started
        ``unit`` is ``"slices"``.
    Working
        After each slice, and several times a second.
    Finished
        With an :class:`InterpolationResult`.

    Raises
    ------
    WrongKindError
        If the image is not a volume.
    GeometryError, LabelsError
        If the labels do not lie on it, a class is unknown, fewer than two slices are painted, nothing lies between
        them, or only background is painted.
    """
    if source.kind != "volume":
        raise WrongKindError(
            f"{source.path.name} is a {source.kind} without slices; only volumes are filled between slices."
        )
    labels.check_values(source)
    run = _Interpolation(source, labels.snapshot(), settings or InterpolateSettings())
    yield from run.events()
    yield Finished(run.result())


class _Interpolation:
    """State of one job."""

    def __init__(self, source: Source, labels: SparseLabels, settings: InterpolateSettings) -> None:
        self.source, self.labels, self.settings = source, labels, settings
        self._begun = time.perf_counter()
        self._wanted = wanted_values(labels, settings.classes)
        self._axis: int
        self._spacing: tuple[float, ...]
        self._planes: LabelArray
        self._painted: list[PaintedPlane]
        self._shape: ShapePlanes
        self._proposal: LabelArray

    def events(self) -> Job:
        """Find the painted slices, then go through those between them."""
        for _ in patiently(self._prepare):
            yield Working(0)
        yield Started(self._shape.last - self._shape.first + 1, "slices")
        done = 0
        for plane in self._filled():
            if plane is not None:
                self._propose(*plane)
                done += 1
            yield Working(done)

    def result(self) -> InterpolationResult:
        """Return the record of the whole."""
        proposal = np.ascontiguousarray(np.moveaxis(self._proposal, 0, self._axis))
        counts = value_counts(proposal)
        voxels = {name: int(counts[n]) for n, name in enumerate(self.labels.class_names, start=1) if counts[n]}
        check_result(sum(voxels.values()))
        seconds = time.perf_counter() - self._begun
        slices = tuple(plane.index for plane in self._painted)
        return InterpolationResult(proposal, self._axis, slices, voxels, seconds, self._provenance())

    def _prepare(self) -> None:
        settings, labels = self.settings, self.labels.labels
        self._axis = best_axis(labels) if settings.axis is None else settings.axis
        self._planes = across(labels, self._axis)
        self._painted = painted_planes(self._planes)
        check_planes(self._painted, AXES[self._axis], beyond=settings.beyond > 0)
        size = self.source.spacing.values if self.source.spacing is not None else (1.0, 1.0, 1.0)
        self._spacing = (size[self._axis], *(s for axis, s in enumerate(size) if axis != self._axis))
        reach = self._reach() if settings.method == "walker" else 0.0
        self._shape = ShapePlanes(
            self._planes, self._painted, self._spacing[1:], beyond=settings.beyond, reach_mm=reach
        )
        self._proposal = np.zeros_like(self._planes)

    def _reach(self) -> float:
        """Return how far the image may move a border at most, mm."""
        indices = [plane.index for plane in self._painted]
        widest = max(self.settings.beyond, *(b - a for a, b in pairwise([indices[0], *indices])))
        return self.settings.band_mm or band_width(widest // 2 + 1, self._spacing[0])

    def _filled(self) -> Iterator[FilledPlane | None]:
        if self.settings.method == "shape":
            return fill_by_shape(self._shape)
        painted = [plane.index for plane in self._painted]
        return fill_by_image(
            self._shape, self._planes, painted, self._read, spacing=self._spacing, band_mm=self.settings.band_mm
        )

    def _read(self, first: int, last: int) -> npt.NDArray[Any]:
        """Return the image from one slice to another, both included, in the window of the shape."""
        rows, columns = self._shape.window
        start, stop = [rows.start, columns.start], [rows.stop, columns.stop]
        start.insert(self._axis, first)
        stop.insert(self._axis, last + 1)
        return np.moveaxis(self.source.read(0, Box(tuple(start), tuple(stop))), self._axis, 0)

    def _propose(self, index: int, winners: LabelArray) -> None:
        """Keep what is wanted of a slice and not painted."""
        where = (index, *self._shape.window)
        free = self._planes[where] == 0
        self._proposal[where] = np.where(free & np.isin(winners, self._wanted), winners, 0)
        if self.settings.background:
            outside = self._known(index) & (self._planes[index] == 0)
            outside[where[1:]] &= winners == 1
            self._proposal[index][outside] = 1

    def _known(self, index: int) -> Bools:
        """Return where both painted slices next to a slice say what is there."""
        before = [plane for plane in self._painted if plane.index < index][-1:]
        after = [plane for plane in self._painted if plane.index > index][:1]
        known = np.full(self._planes.shape[1:], bool(before and after))
        for plane in (*before, *after):
            if not plane.is_whole:
                known &= self._planes[plane.index] > 0
        return known

    def _provenance(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "job": "interpolate",
            "image": str(self.source.path),
            "axis": AXES[self._axis],
            "method": settings.method,
            "slices": [plane.index for plane in self._painted],
            "classes": [self.labels.class_names[value - 1] for value in self._wanted],
            "beyond": settings.beyond,
            **({"band_mm": settings.band_mm} if settings.method == "walker" else {}),
        }
