"""Sparse labels as a napari layer, on the image's grid or on a coarser one that can be painted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.geometry import GridTransform, Spacing, derived_grid
from napari_medpatch.plugin.accepted import set_accepted
from napari_medpatch.plugin.class_list import Colour, label_colours
from napari_medpatch.plugin.layers import like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to, image_of, image_shape, live_source
from napari_medpatch.plugin.settings import preference

if TYPE_CHECKING:
    import napari
    import napari.layers


ROLE = "sparse labels"
_MAX_PX = 8192


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid that labels can be painted on.

    Parameters
    ----------
    level : int
        Level of the source that it coincides with.
    shape : tuple of int
        Its size.
    downsample : tuple of float
        Level-0 pixels per cell.
    """

    level: int
    shape: tuple[int, ...]
    downsample: tuple[float, ...]

    @property
    def place(self) -> GridTransform | None:
        """Where it lies on the image, in pixels of the image; None on the image's own grid."""
        ones = (1.0,) * len(self.shape)
        return None if self.downsample == ones else derived_grid(self.downsample, ones)

    def in_words(self, spacing: Spacing | None) -> str:
        """Return size and pixel size for a menu."""
        size = " × ".join(str(n) for n in reversed(self.shape))
        if spacing is None:
            return f"{size}, 1 : {self.downsample[0]:.3g}"
        return f"{size}, {spacing.mean * self.downsample[0]:.3g} {'mm' if spacing.unit == 'mm' else 'µm'}"


def paintable_grids(image: "napari.layers.Image") -> list[Grid]:
    """Return the grids of an image that can be painted; napari cannot edit several resolutions at once."""
    source = live_source(image)
    if source is None or source.kind != "slide":
        shape = image_shape(image)
        return [Grid(0, shape, (1.0,) * len(shape))]
    grids = [Grid(index, level.shape, level.downsample) for index, level in enumerate(source.levels)]
    return [grid for grid in grids if max(grid.shape) <= _MAX_PX] or grids[-1:]


def default_grid(grids: Sequence[Grid]) -> int:
    """Return the finest grid within the preferred size."""
    limit = int(preference("slides", "working_px"))
    return next((index for index, grid in enumerate(grids) if max(grid.shape) <= limit), len(grids) - 1)


def add_sparse_layer(
    viewer: "napari.Viewer",
    image: "napari.layers.Image",
    grid: Grid,
    names: Sequence[str],
    colours: Sequence[Colour],
    labels: "np.ndarray[Any, Any] | None" = None,
    origins: "np.ndarray[Any, Any] | None" = None,
) -> "napari.layers.Labels":
    """Add a layer of sparse labels: 0 unlabelled, 1 background, 2… classes.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    image : Image
        What is painted on.
    grid : Grid
        Resolution.
    names, colours : sequence
        Of label values 1, 2, ….
    labels : ndarray, optional
        uint8 strokes of an earlier session.
    origins : ndarray, optional
        Where each of them came from, if not all were painted.
    """
    from napari.layers import Labels

    values = np.zeros(grid.shape, np.uint8) if labels is None else labels
    facts = {"class_names": list(names), "level": grid.level, "downsample": list(grid.downsample)}
    layer = Labels(
        values,
        name=f"{image.name} strokes",
        opacity=0.7,
        metadata=provenance(image, ROLE, **facts),
        **like_source(image, grid.place),
    )
    colour_layer(layer, names, colours)
    set_accepted(layer, labels, origins)
    belongs_to(layer, image)
    viewer.add_layer(layer)
    viewer.layers.selection.active = layer
    layer.selected_label = 2 if len(names) > 1 else 1
    layer.mode = "paint"
    return layer


def colour_layer(layer: "napari.layers.Labels", names: Sequence[str], colours: Sequence[Colour]) -> None:
    """Give a layer its classes."""
    from napari.utils.colormaps import DirectLabelColormap

    layer.colormap = DirectLabelColormap(color_dict=label_colours(colours))
    layer.metadata["medpatch"] |= {"class_names": list(names), "colours": list(colours)}


def sparse_layer(viewer: "napari.Viewer", image: Any) -> "napari.layers.Labels | None":
    """Return the sparse labels of an image: the selected ones, otherwise the newest, None if there are none."""
    mine = [layer for layer in viewer.layers if role_of(layer) == ROLE and image_of(layer) is image]
    active = viewer.layers.selection.active
    return active if active in mine else (mine[-1] if mine else None)
