"""Masks as surfaces in the 3D view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.errors import LabelsError
from napari_medpatch.events import Finished, Job, Noted, Started, Working
from napari_medpatch.plugin.layers import META, like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to, image_of

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.io.surface import Surface

ROLE = "surface"
STROKES = "sparse labels"
MOST = 40
"""A mask of single objects can have thousands of values; the largest are shown."""

_DISPLAY_VOXELS = 6_000_000
"""Finer cells are not seen on a screen, but make the view slow."""

_TRIANGLES, _SOFTWARE_TRIANGLES, _FEWEST = 250_000, 100_000, 2_000
"""Of a mask, on a graphics card and where the processor draws; and of a small class among large ones."""


@dataclass(frozen=True, slots=True)
class Surfaces:
    """What :func:`making_surfaces` gives.

    Parameters
    ----------
    by_value : mapping of int to tuple
        Vertices in voxels and faces, by the mask's value.
    coarser : bool
        Whether corners were merged, for there were too many triangles.
    """

    by_value: "Mapping[int, Surface]"
    coarser: bool = False


def most_triangles(*, in_software: bool) -> int:
    """Return how many triangles a mask may have: napari needs a second for a million, at each turn without a card."""
    return _SOFTWARE_TRIANGLES if in_software else _TRIANGLES


def making_surfaces(
    mask: "np.ndarray[Any, Any]",
    spacing: Sequence[float],
    smooth: int,
    skip: Sequence[int] = (),
    most: int = _TRIANGLES,
) -> Job:
    """Make a surface of each class of a mask, as a job.

    Parameters
    ----------
    mask : ndarray
        ``(Z, Y, X)`` of integers.
    spacing : sequence of float
        Size of a voxel, for smoothing alike in all directions.
    smooth : int
        Rounds of smoothing.
    skip : sequence of int
        Values that get no surface, besides 0.
    most : int
        About how many triangles all of them may have.
    """
    from napari_medpatch.evaluate.progress import working
    from napari_medpatch.io.surface import surface_steps
    from napari_medpatch.plugin.light_surface import light_surface

    yield Working(0)
    counts = yield from _counting(mask)
    values = [value for value in sorted(counts, key=lambda v: -counts[v]) if value not in (0, *skip)]
    if not values:
        raise LabelsError("The mask is empty, so there is no surface to show.")
    if len(values) > MOST:
        yield Noted(f"The mask has {len(values):,} values; surfaces of the {MOST} largest are shown.")
    values = sorted(values[:MOST])
    # The surface of a body grows with the two thirds of its volume.
    whole = sum(counts[value] ** (2 / 3) for value in values)
    yield Started(len(values), "surfaces")
    done: dict[int, Surface] = {}
    coarser = False
    for index, value in enumerate(values):
        share = max(_FEWEST, most * counts[value] ** (2 / 3) / whole)
        try:
            made = yield from working(surface_steps(mask, value, spacing, smooth, _DISPLAY_VOXELS), index)
        except LabelsError as error:
            yield Noted(f"No surface of value {value}: {error}")
            continue
        corners, faces = light_surface(made, share)
        coarser = coarser or len(faces) < len(made[1])
        done[value] = (corners / np.asarray(spacing, np.float32), faces)
    yield Finished(Surfaces(done, coarser))


def _counting(mask: "np.ndarray[Any, Any]") -> Any:
    """Return how many voxels have which value, a few slices at a time."""
    counts: dict[int, int] = {}
    thickness = max(1, 4_000_000 // max(1, mask.shape[1] * mask.shape[2]))
    for start in range(0, mask.shape[0], thickness):
        piece = np.asarray(mask[start : start + thickness])
        if piece.dtype == np.uint8:
            numbers = np.bincount(piece.ravel(), minlength=256)
            found = [(int(value), int(numbers[value])) for value in np.flatnonzero(numbers)]
        else:
            found = list(zip(*(part.tolist() for part in np.unique(piece, return_counts=True)), strict=True))
        for value, number in found:
            counts[value] = counts.get(value, 0) + number
        yield Working(0)
    return counts


def values_without_surface(mask: "napari.layers.Labels") -> tuple[int, ...]:
    """Return the values that are no structures: background that was painted on purpose."""
    return (1,) if role_of(mask) == STROKES else ()


def add_surface(
    viewer: "napari.Viewer", mask: "napari.layers.Labels", value: int, surface: "Surface"
) -> "napari.layers.Surface":
    """Show the surface of one class in the mask's colour, in 3D only; an earlier one of this class goes.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    mask : Labels
        What the surface was made of.
    value : int
        The class.
    surface : tuple
        Vertices in voxels of the mask, and faces.
    """
    for earlier in surfaces_of(viewer, mask):
        if earlier.metadata[META]["value"] == value:
            viewer.layers.remove(earlier)
    selected = list(viewer.layers.selection)
    layer = _layer(mask, value, surface)
    layer.visible = viewer.dims.ndisplay == 3
    image = image_of(mask)
    if image is not None:
        belongs_to(layer, image)
    viewer.add_layer(layer)
    viewer.layers.selection = selected
    return layer


def surfaces_of(viewer: "napari.Viewer", mask: "napari.layers.Layer") -> "list[napari.layers.Surface]":
    """Return the surfaces of a mask."""
    wanted = str(mask.unique_id)
    return [
        layer
        for layer in viewer.layers
        if role_of(layer) == ROLE and layer.metadata[META].get("mask_id") == wanted  # type: ignore[misc]
    ]


def _layer(mask: "napari.layers.Labels", value: int, surface: "Surface") -> "napari.layers.Surface":
    from napari.layers import Surface as SurfaceLayer
    from napari.utils import Colormap

    names = mask.metadata.get(META, {}).get("class_names", ())
    name = names[value - 1] if 0 < value <= len(names) else str(value)
    colour = np.asarray(mask.colormap.map(value), dtype=float).ravel()[:4]
    colour[3] = 1.0
    corners, faces = surface
    return SurfaceLayer(
        (corners, faces, np.ones(len(corners), np.float32)),
        name=f"{mask.name} {name} surface",
        colormap=Colormap([colour, colour], name=f"medpatch {value} {np.round(colour, 3).tolist()}"),
        contrast_limits=(0, 1),
        shading="smooth",
        metadata=provenance(mask, ROLE, mask=mask.name, mask_id=str(mask.unique_id), value=value, class_name=name),
        **like_source(mask),
    )
