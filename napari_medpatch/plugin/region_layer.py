"""Regions of interest: what a user drew in a Shapes layer, in pixels of the image it is meant for."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.plugin.layers import like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to, image_of

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.patches.roi import Region

_ROUND = 96
"""Corners of the polygon that stands for an ellipse."""

_AREAS = ("polygon", "rectangle", "ellipse")


def region_layers(viewer: "napari.Viewer", image: "napari.layers.Image | None") -> list["napari.layers.Shapes"]:
    """Return the Shapes layers that are an image's own or nobody's, the newest first."""
    from napari.layers import Shapes

    if image is None:
        return []
    shapes = [layer for layer in reversed(viewer.layers) if isinstance(layer, Shapes) and layer.ndim == 2]
    drawn = [layer for layer in shapes if role_of(layer) in ("", "region")]
    return [layer for layer in drawn if image_of(layer) in (image, None)]


def draw_region(viewer: "napari.Viewer", image: "napari.layers.Image") -> "napari.layers.Shapes":
    """Add an empty Shapes layer on an image's grid and let the user draw polygons in it."""
    from napari.layers import Shapes

    layer = Shapes(
        ndim=2,
        name=f"Region of {image.name}",
        edge_color="#e69f00",
        face_color="#e69f0033",
        edge_width=_line_width(viewer, image),
        metadata=provenance(image, "region"),
        **like_source(image),
    )
    belongs_to(layer, image)
    viewer.add_layer(layer)
    viewer.layers.selection.active = layer
    layer.mode = "add_polygon"
    return layer


def region_of(layer: "napari.layers.Shapes", image: "napari.layers.Image") -> "Region | None":
    """Return the areas of a Shapes layer as a region of an image.

    Parameters
    ----------
    layer : napari Shapes layer
        Polygons, rectangles and ellipses count; lines and paths enclose nothing. It may have a scale,
        translation, rotation, shear, affine and unit of its own.
    image : napari image layer
        The image.

    Returns
    -------
    Region or None
        Polygons of ``(N, 2) float64``, ``y, x`` in level-0 pixels from the corner of the first pixel;
        None if there is no area.
    """
    from napari_medpatch.patches.roi import Region

    factors = _unit_factors(layer, image)
    polygons = []
    for vertices, kind in zip(layer.data, layer.shape_type, strict=True):
        if kind not in _AREAS or len(vertices) < 3:
            continue
        outline = _ellipse(vertices) if kind == "ellipse" else vertices
        world = np.array([layer.data_to_world(vertex) for vertex in outline]) * factors
        # napari counts from the middle of the first pixel.
        polygons.append(np.array([image.world_to_data(point) for point in world], np.float64) + 0.5)
    return Region(tuple(polygons)) if polygons else None


def _ellipse(corners: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return points on the ellipse that fits the four corners napari keeps of it."""
    centre = corners.mean(axis=0)
    down, right = (corners[3] - corners[0]) / 2, (corners[1] - corners[0]) / 2
    turn = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)[:, None]
    points: npt.NDArray[np.float64] = centre + np.sin(turn) * down + np.cos(turn) * right
    return points


def _unit_factors(layer: "napari.layers.Layer", image: "napari.layers.Layer") -> npt.NDArray[np.float64]:
    """Return units of the image per unit of the layer; 1 where napari draws them one to one (pixels over µm)."""
    from pint import DimensionalityError

    try:
        pairs = zip(layer.units, image.units, strict=True)
        return np.array([(1.0 * own).to(wanted).magnitude for own, wanted in pairs])
    except DimensionalityError:
        return np.ones(len(image.units))


def _line_width(viewer: "napari.Viewer", image: "napari.layers.Image") -> float:
    """Return an edge of about three screen pixels, in pixels of the image."""
    step = float(np.mean(np.abs(image.scale)))
    return max(1.0, 3.0 / max(viewer.camera.zoom, 1e-9) / step)
