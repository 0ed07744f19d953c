"""Sources as layers, and results that stay on their image, without a window."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image

from napari_medpatch.geometry import derived_grid
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.hu import HU_WINDOWS
from napari_medpatch.plugin.layers import (
    LIVE,
    META,
    layer_data,
    like_source,
    mask_colours,
    provenance,
    role_of,
)

angle = st.floats(-80, 80)
size = st.floats(0.1, 5)


def test_ct_volume_is_one_array_in_mm_with_the_preferred_window(volume: ArraySource) -> None:
    ((data, attributes, kind),) = layer_data(volume)
    assert kind == "image"
    assert data is volume.data
    assert attributes["scale"] == (2.5, 1.0, 1.0)
    assert attributes["units"] == ("mm",) * 3
    assert attributes["axis_labels"] == ("z", "y", "x")
    assert attributes["contrast_limits"] == HU_WINDOWS["lung"]
    assert attributes["metadata"][LIVE] is volume


def test_volume_that_is_no_ct_gets_limits_from_its_values() -> None:
    values = np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 10, 10)
    ((_, attributes, _),) = layer_data(ArraySource(values, "volume"))
    low, high = attributes["contrast_limits"]
    assert 0 <= low < 0.02
    assert 0.98 < high <= 1
    assert attributes["units"] == ("pixel",) * 3


def test_constant_volume_has_valid_limits() -> None:
    ((_, attributes, _),) = layer_data(ArraySource(np.full((3, 4, 5), 7, np.int16), "volume"))
    assert attributes["contrast_limits"] == (7, 8)


def test_photo_is_rgb_in_pixels(photo: ArraySource) -> None:
    ((data, attributes, _),) = layer_data(photo, name="eye")
    layer = Image(data, **attributes)
    assert layer.rgb
    assert layer.name == "eye"
    assert attributes["scale"] == (1.0, 1.0)
    assert layer.metadata[META]["kind"] == "photo"
    assert layer.metadata[META]["spacing"] is None


@settings(max_examples=40, deadline=None)
@given(angle, st.floats(-0.9, 0.9), size, size, st.floats(1, 300), st.floats(-50, 50), st.booleans())
def test_a_derived_grid_lies_on_its_pixels(
    rotate: float, shear: float, sy: float, sx: float, step: float, shift: float, with_affine: bool
) -> None:
    affine = np.array([[0.9, 0.2, 3], [-0.1, 1.1, -7], [0, 0, 1]]) if with_affine else np.eye(3)
    image = Image(
        np.zeros((8, 9), np.uint8), scale=(sy, sx), rotate=rotate, shear=[shear], translate=(shift, 2), affine=affine
    )
    grid = derived_grid((step, 2 * step), (1, 1), origin_px=(5, 3))
    derived = Image(np.zeros((4, 4), np.uint8), **like_source(image, grid))
    for cell in ((0, 0), (1, 0), (0, 1), (3, 2)):
        centre = [o + c * s + (s - 1) / 2 for o, c, s in zip((5, 3), cell, (step, 2 * step), strict=True)]
        np.testing.assert_allclose(derived.data_to_world(cell), image.data_to_world(centre), atol=1e-6, rtol=1e-6)


def test_the_same_grid_copies_every_part_of_the_transform() -> None:
    in_plane = np.eye(4)
    in_plane[1:3, 1:3] = [[0.8, -0.6], [0.6, 0.8]]
    image = Image(
        np.zeros((4, 8, 9), np.uint8),
        scale=(3, 2, 1),
        translate=(1, 2, 3),
        affine=in_plane,
        units=("mm",) * 3,
        axis_labels=("z", "y", "x"),
    )
    copy = Image(np.zeros((4, 8, 9), np.uint8), **like_source(image))
    np.testing.assert_allclose(copy.data_to_world((1, 2, 3)), image.data_to_world((1, 2, 3)))
    assert copy.units == image.units
    assert copy.axis_labels == image.axis_labels


def test_provenance_names_source_and_role(volume: ArraySource) -> None:
    ((data, attributes, _),) = layer_data(volume)
    image = Image(data, **attributes)
    facts = provenance(image, "mask", model="lungs")
    assert facts[META] == {"source": "ball.nii.gz", "role": "mask", "model": "lungs"}
    assert facts[LIVE] is volume
    assert role_of(image) == ""
    assert role_of(Image(np.zeros((2, 2)), metadata=facts)) == "mask"


def test_mask_colours_are_those_of_the_strokes() -> None:
    from napari_medpatch.annotate.sparse import colour_of

    table = mask_colours(3, ["#123456"])
    assert table[0] == "transparent"
    assert table[1] == "#123456"
    # Mask value 2 is label value 3.
    assert (table[2], table[3]) == (colour_of(3), colour_of(4))
    assert table[None] == "grey"
