"""What is drawn in a Shapes layer lands on the right pixels, whatever transform either layer has."""

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Shapes

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.plugin.layers import layer_data
from napari_medpatch.plugin.links import belongs_to
from napari_medpatch.plugin.region_layer import draw_region, region_layers, region_of

BOX = np.array([[10.0, 20.0], [10.0, 60.0], [40.0, 60.0], [40.0, 20.0]])
"""Corners in napari's data coordinates: from the middle of pixel (10, 20) to the middle of (40, 60)."""

TRANSFORMS = [
    {},
    {"scale": (0.5, 0.25), "translate": (100, -30), "units": ("um", "um")},
    {"scale": (0.5, 0.5), "rotate": 30, "shear": (0.2,)},
    {"affine": np.array([[0.0, 2.0, 5.0], [-2.0, 0.0, 7.0], [0.0, 0.0, 1.0]])},
]


def image(**place: Any) -> Image:
    return Image(np.zeros((80, 100, 3), np.uint8), rgb=True, **place)


@pytest.mark.parametrize("of_image", TRANSFORMS)
@pytest.mark.parametrize("of_shapes", TRANSFORMS)
def test_corners_are_level_0_pixels(of_image: dict[str, Any], of_shapes: dict[str, Any]) -> None:
    picture = image(**of_image)
    units = of_image.get("units", ("pixel", "pixel"))
    shapes = Shapes(ndim=2, **(of_shapes | {"units": units}))
    drawn = [shapes.world_to_data(picture.data_to_world(corner)) for corner in BOX]
    shapes.add_polygons(np.array(drawn))
    region = region_of(shapes, picture)
    assert region is not None
    np.testing.assert_allclose(region.polygons[0], BOX + 0.5, atol=1e-4)  # napari keeps float32
    inside = region.contains(np.array([[25.0, 40.0], [25.0, 19.0], [41.0, 40.0]]))
    assert inside.tolist() == [True, False, False]


def test_units_are_converted() -> None:
    picture = image(scale=(0.5, 0.5), units=("um", "um"))
    shapes = Shapes([BOX / 2000], shape_type="polygon", units=("mm", "mm"))
    region = region_of(shapes, picture)
    assert region is not None
    np.testing.assert_allclose(region.polygons[0], BOX + 0.5, atol=1e-6)


def test_rectangles_and_ellipses_count_and_lines_do_not() -> None:
    picture = image()
    shapes = Shapes(ndim=2)
    shapes.add_lines(BOX[:2])
    assert region_of(shapes, picture) is None
    shapes.add_rectangles(BOX)
    shapes.add_ellipses(BOX)
    region = region_of(shapes, picture)
    assert region is not None
    assert len(region.polygons) == 2
    outline = region.polygons[1] - 0.5
    distance = ((outline - BOX.mean(axis=0)) / [15, 20]) ** 2
    np.testing.assert_allclose(distance.sum(axis=1), 1, atol=1e-6)


def test_a_drawn_region_lies_on_its_image_and_belongs_to_it() -> None:
    viewer = ViewerModel()
    source = ArraySource(np.zeros((80, 100, 3), np.uint8), "slide", spacing=(0.5, 0.25), path="slide.tiff")
    first, second = (viewer.add_image(d, **a) for d, a, _ in layer_data(source) * 2)
    layer = draw_region(viewer, first)
    assert viewer.layers.selection.active is layer
    assert layer.mode == "add_polygon"
    np.testing.assert_allclose(layer.scale, first.scale)
    own = viewer.add_shapes([BOX], shape_type="polygon", name="anybody's")
    assert region_layers(viewer, first) == [own, layer]
    assert region_layers(viewer, second) == [own]
    assert region_layers(viewer, None) == []
    belongs_to(own, second)
    assert region_layers(viewer, first) == [layer]
    layer.add_polygons(BOX)
    region = region_of(layer, first)
    assert region is not None
    np.testing.assert_allclose(region.polygons[0], BOX + 0.5)
