"""An image and its paint on the grid that is worked on."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_medpatch.annotate.sparse import LabelArray, SparseLabels
from napari_medpatch.errors import MissingSpacingError
from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.infer.segment_plan import SegmentPlan, fov_diameter, plan_segmentation
from napari_medpatch.infer.working_grid import WorkingGrid
from napari_medpatch.io.labels_file import labels_downsample
from napari_medpatch.io.source import Source
from napari_medpatch.models.card import ModelCard
from napari_medpatch.patience import patiently
from napari_medpatch.train.features import FloatArray
from napari_medpatch.train.intensity import Window, detail_window, rescale, value_range
from napari_medpatch.train.pooling import pool_labels

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

_VOXELS = 1_500_000
_MOST_VOXELS = 6_000_000
_PHOTO_PIXELS = 2_500_000
_SLIDE_PIXELS = 4_000_000
_PIECE = 1_000_000
_NEARLY_CUBIC = 1.25


@dataclass(frozen=True, slots=True)
class Problem:
    """What there is to learn.

    Parameters
    ----------
    plan : SegmentPlan
        How the working grid lies over the image, and the mask over both.
    card : ModelCard
        Of the model to be trained; with its working resolution and intensities.
    image : ndarray
        ``(C, *spatial)`` float32, 0…1 over the values that occur.
    inputs : ndarray
        ``(C, *spatial)`` float32, as the network sees it.
    detail : ndarray
        ``(*spatial)`` float32, 0…1 over the intensities around the painted objects.
    labels : ndarray
        ``(*spatial)`` uint8 sparse labels that were painted.
    accepted : ndarray or None
        The same of those that were interpolated or predicted, if they are to be learnt from.
    """

    plan: SegmentPlan
    card: ModelCard
    image: FloatArray
    inputs: FloatArray
    detail: FloatArray
    labels: LabelArray
    accepted: LabelArray | None = None

    @property
    def all_labels(self) -> LabelArray:
        """All sparse labels to learn from; where both are, the painted ones."""
        if self.accepted is None:
            return self.labels
        return np.where(self.labels > 0, self.labels, self.accepted).astype(np.uint8)


def with_resolution(source: Source, labels: SparseLabels, card: ModelCard, base: "Bundle | None") -> ModelCard:
    """Return a card with a resolution at which a minute of training is worth something.

    Volumes become isotropic with at most 1.5 million voxels, about 3 mm for a chest; photographs at most
    2.5, slides 4 million pixels. A base model brings its own resolution.

    Raises
    ------
    MissingSpacingError
        If the image must be resampled and its pixel size is unknown.
    """
    if base is not None and base.card.spacing is not None and not _too_fine(source, base.card.spacing):
        return replace(card, spacing=base.card.spacing, spacing_unit=base.card.spacing_unit)
    if source.kind == "volume":
        return _volume_resolution(source, card)
    if source.kind == "photo":
        return _photo_resolution(source, card)
    return _slide_resolution(source, labels, card)


def pose_problem(
    source: Source,
    labels: SparseLabels,
    card: ModelCard,
    base: "Bundle | None",
    accepted: SparseLabels | None = None,
) -> Generator[None, None, Problem]:
    """Bring an image and its paint to the working grid, yielding while it takes.

    Parameters
    ----------
    source : Source
        The image.
    labels : SparseLabels
        Checked against it.
    card : ModelCard
        As :func:`with_resolution` returns it; intensities are filled in here.
    base : Bundle, optional
        Model that training begins with; brings its own intensities.
    accepted : SparseLabels, optional
        Labels that were not painted but are to be learnt from.
    """
    pose = _volume if source.kind == "volume" else _picture
    problem = yield from pose(source, labels, card, base)
    if accepted is None:
        return problem
    downsample = _downsample(source, accepted)
    pooled = yield from patiently(pool_labels, accepted.labels, _grid(problem.plan), downsample, card.num_classes)
    return replace(problem, accepted=pooled)


def _volume(
    source: Source, labels: SparseLabels, card: ModelCard, base: "Bundle | None"
) -> Generator[None, None, Problem]:
    given = base.card.intensity if base is not None else None
    wide = yield from patiently(value_range, source, given)
    plan = plan_segmentation(source, replace(card, intensity=wide.intensity))
    for _ in plan.image.prepare():
        yield
    grid = _grid(plan)
    image = plan.image.block(Box.whole(grid.shape))
    pooled = yield from patiently(pool_labels, labels.labels, grid, _downsample(source, labels), card.num_classes)
    narrow = yield from patiently(detail_window, image[0], pooled, wide)
    seen = Window.of(given) if given is not None else narrow.widened(wide)
    return Problem(
        plan,
        replace(card, intensity=seen.intensity),
        image,
        rescale(image, wide, seen),
        rescale(image[0], wide, narrow),
        pooled,
    )


def _picture(
    source: Source, labels: SparseLabels, card: ModelCard, base: "Bundle | None"
) -> Generator[None, None, Problem]:
    plan = plan_segmentation(source, replace(card, intensity={"kind": "rgb"}))
    grid = _grid(plan)
    image = np.empty((3, *grid.shape), np.float32)
    rows = max(1, int(_PIECE / grid.shape[1] / max(1.0, math.prod(axis.step for axis in grid.axes))))
    for start, stop in split_axis(grid.shape[0], rows):
        image[:, start:stop] = plan.image.block(Box((start, 0), (stop, grid.shape[1])))
        yield
    if base is not None:
        intensity = dict(base.card.intensity)
    else:
        mean, std = image.mean(axis=(1, 2)), image.std(axis=(1, 2))
        intensity = {"kind": "rgb", "mean": mean.round(4).tolist(), "std": np.maximum(std, 0.02).round(4).tolist()}
    mean, std = (np.asarray(intensity.get(key, [0.0 if key == "mean" else 1.0] * 3)) for key in ("mean", "std"))
    inputs = (image - mean[:, None, None]) / std[:, None, None]
    return Problem(
        plan,
        replace(card, intensity=intensity),
        image,
        inputs.astype(np.float32),
        image.mean(axis=0),
        (yield from patiently(pool_labels, labels.labels, grid, _downsample(source, labels), card.num_classes)),
    )


def _downsample(source: Source, labels: SparseLabels) -> tuple[float, ...]:
    """Return how many pixels of the image a pixel of the labels covers."""
    if source.kind == "slide":
        return labels_downsample(labels.labels, source)
    return (1.0,) * labels.labels.ndim


def _grid(plan: SegmentPlan) -> WorkingGrid:
    return plan.image.grid


def _too_fine(source: Source, spacing: Sequence[float]) -> bool:
    """Whether a base's resolution makes a volume too large to be filtered as a whole."""
    if source.kind != "volume" or source.spacing is None:
        return False
    steps = (wanted / size for wanted, size in zip(spacing, source.spacing.values, strict=True))
    return math.prod(n / step for n, step in zip(source.levels[0].shape, steps, strict=True)) > _MOST_VOXELS


def _volume_resolution(source: Source, card: ModelCard) -> ModelCard:
    shape, voxels = source.levels[0].shape, math.prod(source.levels[0].shape)
    if source.spacing is None:
        if voxels > _MOST_VOXELS:
            raise MissingSpacingError(
                f"{source.path.name} does not say how large its voxels are, and its {voxels} are too many to work "
                "on one by one; give the voxel size."
            )
        return replace(card, spacing=None, spacing_unit=None)
    size = source.spacing.values
    if voxels <= _VOXELS and max(size) <= _NEARLY_CUBIC * min(size):
        return replace(card, spacing=size, spacing_unit="mm")
    amount = math.prod(n * s for n, s in zip(shape, size, strict=True))
    edge = round(max((amount / _VOXELS) ** (1 / 3), min(size)), 3)
    return replace(card, spacing=(edge,) * 3, spacing_unit="mm")


def _photo_resolution(source: Source, card: ModelCard) -> ModelCard:
    """Measure pixels by the field of view, which photographs of one eye share whatever the camera."""
    shape = source.levels[0].shape
    step = max(1.0, math.sqrt(math.prod(shape) / _PHOTO_PIXELS))
    find = getattr(source, "fov_mask", None)
    view = np.asarray(find(), bool) if find is not None else np.ones(shape, bool)
    if step == 1 and view.all():
        return replace(card, spacing=None, spacing_unit=None)
    return replace(card, spacing=(step / fov_diameter(view),) * 2, spacing_unit="fov")


def _slide_resolution(source: Source, labels: SparseLabels, card: ModelCard) -> ModelCard:
    """Work at the resolution that was painted at."""
    painted_at = labels_downsample(labels.labels, source)
    enlarge = max(1.0, math.sqrt(labels.labels.size / _SLIDE_PIXELS))
    if source.spacing is None:
        if enlarge == 1 and painted_at == (1.0, 1.0):
            return replace(card, spacing=None, spacing_unit=None)
        raise MissingSpacingError(
            f"{source.path.name} does not say how large its pixels are, which a model of a reduced slide needs; "
            "give the pixel size in µm."
        )
    sizes = zip(painted_at, source.spacing.values, strict=True)
    return replace(card, spacing=tuple(down * size * enlarge for down, size in sizes), spacing_unit="um")
