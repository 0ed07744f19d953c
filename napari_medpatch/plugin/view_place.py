"""Where the camera looks, in pixels of an image, and how to send it to a patch."""

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from napari_medpatch.geometry import Box

if TYPE_CHECKING:
    import napari
    import napari.layers

_SHARE = 1 / 3
"""Of the canvas, that a patch fills after a flight."""


def fly_to(viewer: "napari.Viewer", image: "napari.layers.Image", box: Box) -> None:
    """Put a patch into the middle of the canvas, a third of it large.

    Parameters
    ----------
    viewer : napari.Viewer
        Its camera moves.
    image : napari image layer
        May be scaled, translated, rotated.
    box : Box
        In level-0 pixels of the image.
    """
    corners = corners_in_world(image, box)
    low, high = corners.min(axis=0), corners.max(axis=0)
    viewer.camera.center = tuple(float(value) for value in (low + high) / 2)
    extent = np.maximum(high - low, 1e-9)
    viewer.camera.zoom = float(_SHARE * np.min(np.asarray(viewer.canvas.size) / extent))


def visible_box(viewer: "napari.Viewer", image: "napari.layers.Image") -> Box:
    """Return the level-0 pixels of an image that the canvas shows, clipped to the image."""
    from napari_medpatch.plugin.links import image_shape

    half = np.asarray(viewer.canvas.size) / viewer.camera.zoom / 2
    centre = np.asarray(viewer.camera.center)[-2:]
    corners = [image.world_to_data(centre + half * sign) for sign in product((-1, 1), repeat=2)]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    start, stop = np.floor(low + 0.5).astype(int), np.ceil(high + 0.5).astype(int)
    return Box(tuple(start.tolist()), tuple(stop.tolist())).clip(image_shape(image))


def place_in_view(viewer: "napari.Viewer", image: "napari.layers.Image") -> tuple[float, ...]:
    """Return the pixel of an image's finest grid in the middle of the canvas, on the slice that is shown."""
    point = np.asarray(viewer.dims.point, float)
    if viewer.dims.ndisplay == 2:
        shown = list(viewer.dims.displayed)
        point[shown] = np.asarray(viewer.camera.center)[-2:]
    return tuple(float(value) for value in image.world_to_data(point[-image.ndim :]))


def corners_in_world(image: "napari.layers.Image", box: Box) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """Return the outline of a box, ``(4, 2)`` going round, in world coordinates."""
    y0, x0 = (value - 0.5 for value in box.start)
    y1, x1 = (value - 0.5 for value in box.stop)
    return np.array([image.data_to_world(point) for point in ((y0, x0), (y0, x1), (y1, x1), (y1, x0))])
