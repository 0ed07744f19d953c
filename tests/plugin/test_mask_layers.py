"""Masks out of layers, without a window: pixel size, grids, names; moving a viewer's model."""

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.plugin.layers import layer_data, like_source, provenance
from napari_medpatch.plugin.links import belongs_to
from napari_medpatch.plugin.mask_layers import check_one_grid, pixel_size, take_masks
from napari_medpatch.plugin.slice_place import current_slice, fly_to_point, show_slice

SHAPE = (6, 8, 10)


def labels(value: int = 1, **options: Any) -> Labels:
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:4, 2:6, 3:7] = value
    return Labels(mask, **{"name": "mask", "scale": (3.0, 1.0, 0.5), "units": ("mm",) * 3, **options})


def on_image(mask: Labels, source: ArraySource) -> Labels:
    ((data, attributes, _),) = layer_data(source)
    image = Image(data, **attributes)
    result = Labels(mask.data, metadata=provenance(image, "mask", class_names=["ball"]), **like_source(image))
    belongs_to(result, image)
    result.metadata["image kept alive"] = image
    return result


@pytest.mark.parametrize(
    ("unit", "scale", "expected"),
    [
        ("mm", (3.0, 1.0, 0.5), ("mm", (3.0, 1.0, 0.5))),
        ("cm", (0.3, 0.1, 0.05), ("mm", (3.0, 1.0, 0.5))),
        ("um", (3.0, 1.0, 0.5), ("um", (3.0, 1.0, 0.5))),
        ("nm", (300.0, 100.0, 50.0), ("um", (0.3, 0.1, 0.05))),
        ("pixel", (1.0, 1.0, 1.0), ("px", None)),
    ],
)
def test_pixel_sizes(unit: str, scale: tuple[float, ...], expected: tuple[str, Any]) -> None:
    found = pixel_size(labels(units=(unit,) * 3, scale=scale))
    assert found[0] == expected[0]
    assert found[1] == (None if expected[1] is None else pytest.approx(expected[1]))


def test_a_turned_layer_keeps_its_pixel_size() -> None:
    layer = labels(rotate=np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]))
    assert pixel_size(layer)[1] == pytest.approx((3.0, 1.0, 0.5))


def test_grids_that_agree_and_that_do_not() -> None:
    check_one_grid(labels(), labels(2))
    check_one_grid(labels(), labels(scale=(3000.0, 1000.0, 500.0), units=("um",) * 3))
    with pytest.raises(GeometryError, match="4 pixels apart"):
        check_one_grid(labels(), labels(translate=(0, 0, 2.0)))
    with pytest.raises(GeometryError, match="pixels apart"):
        check_one_grid(labels(), labels(scale=(3.0, 1.0, 0.6)))
    with pytest.raises(GeometryError, match=r"10 × 8 × 6.*10 × 8 × 5"):
        check_one_grid(labels(), Labels(np.zeros((5, 8, 10), np.uint8)))


def test_what_is_taken_is_a_copy(volume: ArraySource) -> None:
    layer, other = labels(), labels(2)
    taken = take_masks(layer, other)
    layer.data[...] = 7
    assert taken.prediction.max() == 1
    assert taken.truth.max() == 2
    assert (taken.unit, taken.spacing) == ("mm", pytest.approx((3.0, 1.0, 0.5)))
    assert taken.image is None
    assert taken.backdrop() is None


def test_image_names_and_unit_come_along(volume: ArraySource) -> None:
    mask = Labels((volume.data > 0).astype(np.uint8))
    taken = take_masks(on_image(mask, volume), None)
    assert taken.class_names == ("ball",)
    assert taken.value_unit == "HU"
    assert np.array_equal(taken.image, volume.data)
    assert taken.backdrop() is not None
    assert taken.provenance["image"] == "ball.nii.gz"


def test_several_resolutions_and_empty_strokes_are_refused() -> None:
    pyramid = Labels([np.zeros((64, 64), np.uint8), np.zeros((32, 32), np.uint8)], multiscale=True)
    with pytest.raises(LabelsError, match="several resolutions"):
        take_masks(pyramid, None)
    strokes = Labels(np.zeros(SHAPE, np.uint8), metadata={"medpatch": {"role": "sparse labels"}})
    with pytest.raises(LabelsError, match="holds no labels"):
        take_masks(Labels(np.zeros(SHAPE, np.uint8)), strokes)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_going_to_a_slice_turns_the_plane(axis: int) -> None:
    viewer = ViewerModel()
    layer = viewer.add_layer(labels(translate=(30.0, -5.0, 2.0)))
    show_slice(viewer, layer, axis, 4)
    assert current_slice(viewer, layer, axis) == 4
    assert viewer.dims.displayed == tuple(other for other in range(3) if other != axis)


def test_flying_centres_the_point() -> None:
    viewer = ViewerModel()
    layer = viewer.add_layer(labels(translate=(30.0, -5.0, 2.0)))
    fly_to_point(viewer, layer, (2, 3, 4))
    assert [current_slice(viewer, layer, axis) for axis in range(3)] == [2, 3, 4]
    assert viewer.scene.camera.center[-2:] == pytest.approx((-2.0, 4.0))


def test_layers_of_fewer_axes_than_the_viewer() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, *SHAPE)))
    layer = viewer.add_layer(labels(scale=(1.0, 1.0, 1.0), units=("pixel",) * 3))
    show_slice(viewer, layer, 0, 5)
    assert viewer.dims.current_step[1] == 5
