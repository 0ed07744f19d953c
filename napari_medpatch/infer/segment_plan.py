"""Which image a model sees, at which resolution, and on which grid its mask lies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError, GeometryError, MissingSpacingError, WrongKindError
from napari_medpatch.geometry import GridTransform
from napari_medpatch.infer.slice_stack import StackedImage
from napari_medpatch.infer.tiling import AnyTiling, tiling_of
from napari_medpatch.infer.working_grid import WorkingGrid
from napari_medpatch.infer.working_image import PictureImage, VolumeImage, WorkingImage
from napari_medpatch.io.source import Source
from napari_medpatch.io.wording import spacing_text
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.intensity import VOLUME_KINDS
from napari_medpatch.models.scan_edge import scan_edge

_MOST_WORKING, _MOST_TIMES = 1.5e9, 8
"""Voxels of the working grid, and how many of them may come from one of the volume, before that must be a mistake."""
_KINDS = {"volume": "a volume", "photo": "a photograph", "slide": "a slide"}


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """How one image is segmented by one model.

    Parameters
    ----------
    image : WorkingImage
        Network input.
    tiling : Tiling or WindowTiling
        How the working grid may be cut.
    output : WorkingGrid
        From the working grid to the mask's: the image's own grid, or for slides the working grid itself.
    voxel : tuple of float
        Size of a mask voxel, in ``unit``.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``.
    slice_axis : int, optional
        Axis of independent slices, when a 2D model works on a volume.
    downsample : tuple of float
        Source pixels per mask pixel, per axis.
    transform : GridTransform
        Place of the mask over the source, in the source's unit (pixels when its spacing is unknown).
    keep : ndarray, optional
        Outside this mask (of the mask's shape) everything is background.
    share : float
        How much of a scan that is large enough for the model the image is.
    """

    image: WorkingImage
    tiling: AnyTiling
    output: WorkingGrid
    voxel: tuple[float, ...]
    unit: str
    slice_axis: int | None
    downsample: tuple[float, ...]
    transform: GridTransform
    keep: npt.NDArray[np.bool_] | None = None
    share: float = 1.0


def plan_segmentation(source: Source, card: ModelCard, axis: int | None = None) -> SegmentPlan:
    """Plan, or refuse, a segmentation.

    Parameters
    ----------
    source : Source
        Any image.
    card : ModelCard
        Any model.
    axis : int, optional
        Slice axis of a 2D model on a volume, the card's by default; ignored otherwise.

    Raises
    ------
    BundleError
        If the model does not segment.
    WrongKindError
        If the model does not fit this kind of image.
    MissingSpacingError
        If the model needs a pixel size and the image has none.
    GeometryError
        If the pixel size cannot be right.
    """
    check_fits(source, card)
    if source.kind != "volume":
        return _picture(source, card)
    slice_axis = None if card.task == "segment-3d" else card.slice_axis if axis is None else axis
    if slice_axis not in (None, 0, 1, 2):
        raise GeometryError(f"A volume has the axes 0, 1 and 2, not {slice_axis}; choose one of them.")
    return _volume(source, card, slice_axis)


def check_fits(source: Source, card: ModelCard) -> None:
    """Raise unless a model can segment an image of this kind."""
    if card.task not in ("segment-2d", "segment-3d"):
        raise BundleError(f"Model {card.name} is a {card.task}, it does not segment; choose a segmentation model.")
    if card.num_classes < 2:
        raise BundleError(
            f"Model {card.name} has the classes {list(card.class_names)}; background and one more are needed."
        )
    wanted = "volume" if card.intensity.get("kind") in VOLUME_KINDS else "picture"
    if card.task == "segment-3d":
        wanted = "volume"
    if (source.kind == "volume") == (wanted == "volume"):
        _check_channels(card, card.stack if wanted == "volume" else 3)
        return
    needs = "a CT volume" if wanted == "volume" else "a colour photograph or slide"
    raise WrongKindError(
        f"{source.path.name} is {_KINDS[source.kind]}, but {card.name} segments {needs}; choose another model or image."
    )


def _check_channels(card: ModelCard, given: int) -> None:
    """Refuse a model that wants, say, four MR sequences at once."""
    if card.in_channels != given:
        raise BundleError(
            f"Model {card.name} takes {card.in_channels} channels and an image here has {given}; choose another model."
        )


def fov_diameter(mask: npt.NDArray[np.bool_]) -> int:
    """Return the diameter in pixels of a photograph's field of view: the longer edge of its bounding box.

    Cameras cut the disc at the top and bottom, hardly ever on all four sides.
    """
    edges = [int(np.ptp(np.flatnonzero(mask.any(axis=1 - axis)))) + 1 for axis in (0, 1) if mask.any()]
    return max(edges, default=max(mask.shape))


def _volume(source: Source, card: ModelCard, slice_axis: int | None) -> SegmentPlan:
    voxel = source.spacing.values if source.spacing is not None else (1.0,) * 3
    steps = [1.0] * 3
    if card.spacing is not None:
        _need_spacing(source, card, ("mm",))
        moving = [axis for axis in range(3) if axis != slice_axis]
        _same_length(card.spacing, moving, card)
        for axis, wanted in zip(moving, card.spacing, strict=True):
            steps[axis] = wanted / voxel[axis]
    _check_steps(source, card, steps)
    grid = _continued(source, card, steps, slice_axis)
    unit = "mm" if source.spacing is not None else "px"
    return SegmentPlan(
        image=_image(VolumeImage(source, card, grid), card, slice_axis, voxel),
        tiling=tiling_of(grid, card, slice_axis),
        output=grid,
        voxel=voxel,
        unit=unit,
        slice_axis=slice_axis,
        downsample=(1.0,) * 3,
        transform=GridTransform(voxel, (0.0,) * 3),
        share=_share(source, card),
    )


def _continued(source: Source, card: ModelCard, steps: Sequence[float], slice_axis: int | None) -> WorkingGrid:
    """Return the working grid, as far beyond the volume as the card asks; slices by themselves have nothing beyond."""
    shape = source.levels[0].shape
    if source.spacing is None:
        return WorkingGrid.centred(shape, steps)
    sizes = [step * size for step, size in zip(steps, source.spacing.values, strict=True)]
    margin, least = (list(each) for each in scan_edge(card).voxels(sizes))
    if slice_axis is not None:
        margin[slice_axis], least[slice_axis] = 0, 1
    return WorkingGrid.centred(shape, steps, margin=margin, least=least)


def _share(source: Source, card: ModelCard) -> float:
    if source.spacing is None:
        return 1.0
    return scan_edge(card).share([n * s for n, s in zip(source.levels[0].shape, source.spacing.values, strict=True)])


def _check_steps(source: Source, card: ModelCard, steps: Sequence[float]) -> None:
    """Refuse voxels so large or so small beside the model's that their size must be wrong."""
    lengths = [n / step for n, step in zip(source.levels[0].shape, steps, strict=True)]
    too_large = math.prod(lengths) > _MOST_WORKING and math.prod(steps) < 1 / _MOST_TIMES
    if not too_large and max(lengths) >= 1:
        return
    said = spacing_text(source.spacing.values[::-1] if source.spacing is not None else ())
    wrong = "far larger" if too_large else "so much smaller that the whole volume is less than one of them"
    raise GeometryError(
        f"{source.path.name} has voxels of {said}, {wrong} than those that {card.name} works on; correct the voxel "
        "size in the file."
    )


def _image(image: VolumeImage, card: ModelCard, slice_axis: int | None, voxel: Sequence[float]) -> WorkingImage:
    """Return the volume, or stacks of its slices for models that look at several."""
    if slice_axis is None or card.stack == 1:
        return image
    step = 1.0 if card.stack_spacing is None else card.stack_spacing / voxel[slice_axis]
    return StackedImage(image, slice_axis, card.stack, step)


def _picture(source: Source, card: ModelCard) -> SegmentPlan:
    shape = source.levels[0].shape
    find = getattr(source, "fov_mask", None) if source.kind == "photo" else None
    keep = np.asarray(find(), bool) if find is not None else None
    grid = WorkingGrid.centred(shape, _picture_steps(source, card, keep))
    pixel = source.spacing.values if source.spacing is not None else (1.0, 1.0)
    # A slide's mask stays at the working resolution: at level 0 it would hold billions of pixels.
    coarse = source.kind == "slide"
    scale = tuple(axis.step for axis in grid.axes) if coarse else (1.0, 1.0)
    origin = tuple(axis.origin for axis in grid.axes) if coarse else (0.0, 0.0)
    return SegmentPlan(
        image=PictureImage(source, card, grid),
        tiling=tiling_of(grid, card, None),
        output=WorkingGrid.centred(grid.shape, (1.0, 1.0)) if coarse else grid,
        voxel=tuple(s * p for s, p in zip(scale, pixel, strict=True)),
        unit="um" if source.spacing is not None else "px",
        slice_axis=None,
        downsample=scale,
        transform=GridTransform(
            tuple(s * p for s, p in zip(scale, pixel, strict=True)),
            tuple(o * p for o, p in zip(origin, pixel, strict=True)),
        ),
        keep=None if coarse else keep,
    )


def _picture_steps(source: Source, card: ModelCard, keep: npt.NDArray[np.bool_] | None) -> Sequence[float]:
    """Return working pixels' size in level-0 pixels."""
    if card.spacing is None:
        return (1.0, 1.0)
    _same_length(card.spacing, (0, 1), card)
    if card.spacing_unit == "fov":
        if source.kind != "photo":
            raise WrongKindError(
                f"{source.path.name} is {_KINDS[source.kind]}, but {card.name} segments photographs of the eye; "
                "choose another model or image."
            )
        diameter = fov_diameter(keep) if keep is not None else max(source.levels[0].shape)
        return tuple(share * diameter for share in card.spacing)
    _need_spacing(source, card, ("um",))
    pixel = source.spacing.values if source.spacing is not None else (1.0, 1.0)
    return tuple(wanted / size for wanted, size in zip(card.spacing, pixel, strict=True))


def _need_spacing(source: Source, card: ModelCard, units: Sequence[str]) -> None:
    if card.spacing_unit not in units:
        raise BundleError(f"Model {card.name} gives its spacing in {card.spacing_unit!r}; {units[0]!r} is needed here.")
    if source.spacing is None:
        raise MissingSpacingError(
            f"{source.path.name} does not say how large its pixels are, and {card.name} works at "
            f"{card.spacing[0] if card.spacing else '?'} {card.spacing_unit}; give the pixel size."
        )


def _same_length(spacing: Sequence[float], axes: Sequence[int], card: ModelCard) -> None:
    if len(spacing) != len(axes):
        raise BundleError(
            f"Model {card.name} gives {len(spacing)} spacings for {len(axes)} axes; mend its config.json."
        )
