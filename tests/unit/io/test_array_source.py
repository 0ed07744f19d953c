import numpy as np
import pytest
from volume_cases import affine_of, world

from napari_medpatch.errors import GeometryError, UnsupportedFormatError
from napari_medpatch.geometry import Spacing
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.source import Source


def test_volume_keeps_its_array():
    data = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    source = ArraySource(data, "volume", spacing=(2.5, 0.7, 0.7))
    assert isinstance(source, Source)
    assert source.data is data
    assert source.spacing == Spacing((2.5, 0.7, 0.7), "mm", "given")
    assert np.array_equal(source.from_original(source.to_original(data)), data)
    assert source.original_shape == (5, 4, 3)
    assert source.metadata["value_unit"] == "arbitrary units"


def test_affine_gives_spacing_and_position():
    affine = affine_of(np.diag([-1.0, -1, 1]), tilt=0.1)
    source = ArraySource(np.zeros((3, 4, 5), np.int16), "volume", affine=affine)
    assert source.spacing.values == pytest.approx((4.0, 1.5, 0.75))
    assert source.is_oblique
    np.testing.assert_allclose(
        world(source.canonical_affine, np.array([[1, 2, 0]])), world(affine, np.array([[1, 2, 0]]))
    )


def test_volume_of_unknown_spacing():
    source = ArraySource(np.zeros((3, 4, 5), bool), "volume")
    assert source.spacing is None
    assert source.dtype == np.int16
    assert not source.grid.known


def test_values_follow_the_rule_of_files():
    data = np.linspace(-1000, 1000, 60).reshape(3, 4, 5)
    source = ArraySource(data, "volume")
    assert source.dtype == np.int16
    assert source.metadata["value_unit"] == "HU"
    assert np.array_equal(source.data, np.rint(data))
    holes = np.linspace(0, 1, 60).reshape(3, 4, 5)
    holes[0, 0, 0] = np.nan
    assert ArraySource(holes, "volume").data[0, 0, 0] == np.float32(holes[0, 0, 1])


def test_photo_becomes_rgb():
    source = ArraySource(np.linspace(0, 1, 20).reshape(4, 5), "photo", spacing=(0.5, 0.5), metadata={"from": "layer"})
    assert source.array.shape == (4, 5, 3)
    assert source.array[-1, -1].tolist() == [255, 255, 255]
    assert source.spacing.unit == "um"
    assert source.metadata["from"] == "layer"
    assert source.levels[0].shape == (4, 5)


@pytest.mark.parametrize("data", [np.zeros((4, 5)), np.zeros((3, 4, 5), complex), np.full((2, 2, 2), np.nan)])
def test_what_is_no_volume_is_refused(data):
    with pytest.raises(UnsupportedFormatError, match="volume"):
        ArraySource(data, "volume")


def test_spacing_of_zero_is_refused():
    with pytest.raises(GeometryError, match="not positive"):
        ArraySource(np.zeros((3, 4, 5)), "volume", spacing=(1, 0, 1))
