"""Moving the viewer to a slice or a point of a layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import napari
    import napari.layers


def current_slice(viewer: "napari.Viewer", layer: "napari.layers.Layer", axis: int) -> int:
    """Return which slice of a layer along an axis the viewer is at; the nearest if it is outside."""
    here = layer.world_to_data(viewer.dims.point[-layer.ndim :])
    return int(np.clip(round(float(here[axis])), 0, layer.data.shape[axis] - 1))


def show_slice(viewer: "napari.Viewer", layer: "napari.layers.Layer", axis: int, index: int) -> None:
    """Go to a slice of a layer; a window that shows another plane turns to that of the slice.

    Parameters
    ----------
    viewer : napari.Viewer
        Its dims change.
    layer : napari layer
        Of the slice.
    axis : int
        Of the layer.
    index : int
        Along the axis.
    """
    data = np.array(layer.world_to_data(viewer.dims.point[-layer.ndim :]), float)
    data[axis] = index
    dims, of_viewer = viewer.dims, viewer.dims.ndim - layer.ndim + axis
    if dims.ndisplay == 2 and layer.ndim > 2 and of_viewer in dims.displayed:
        dims.order = (of_viewer, *(other for other in range(dims.ndim) if other != of_viewer))
    dims.set_point(of_viewer, float(layer.data_to_world(data)[axis]))


def fly_to_point(viewer: "napari.Viewer", layer: "napari.layers.Layer", pixel: Sequence[float]) -> None:
    """Show the slice of a point and put the point into the middle of the canvas.

    Parameters
    ----------
    viewer : napari.Viewer
        Its dims and camera change; the zoom stays.
    layer : napari layer
        May be scaled, translated, rotated.
    pixel : sequence of float
        In pixels of the layer, one value per axis.
    """
    world = layer.data_to_world(tuple(pixel))
    first = viewer.dims.ndim - layer.ndim
    for axis, value in enumerate(world):
        viewer.dims.set_point(first + axis, float(value))
    shown = [float(world[axis - first]) for axis in viewer.dims.displayed if axis >= first]
    viewer.camera.center = tuple(shown)
