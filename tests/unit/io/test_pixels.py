import numpy as np
import pytest

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.pixels import over_black, significant_bits, to_8bit, to_rgb


@pytest.mark.parametrize(
    ("largest", "bits"), [(0, 8), (255, 8), (256, 10), (1023, 10), (4095, 12), (4096, 14), (65535, 16)]
)
def test_range_is_the_smallest_that_holds_the_largest(largest, bits):
    assert significant_bits(largest) == bits


def test_twelve_bits_in_sixteen_are_scaled_by_their_range():
    values = np.array([0, 2048, 4095], np.uint16)
    assert to_8bit(values).tolist() == [0, 128, 255]


def test_eight_bits_in_sixteen_stay():
    values = np.array([0, 7, 200], np.uint16)
    assert to_8bit(values).tolist() == [0, 7, 200]


def test_exposure_is_not_stretched():
    assert to_8bit(np.array([0, 600], np.uint16)).tolist() == [0, 150]


def test_bits_that_the_file_states_win_unless_impossible():
    assert to_8bit(np.array([0, 7, 15], np.uint8), bits=4).tolist() == [0, 119, 255]
    assert to_8bit(np.array([0, 200], np.uint8), bits=4).tolist() == [0, 200]


def test_booleans_and_floats():
    assert to_8bit(np.array([True, False])).tolist() == [255, 0]
    assert to_8bit(np.array([0, 0.5, 1])).tolist() == [0, 128, 255]
    assert to_8bit(np.array([0, 100.4, np.nan])).tolist() == [0, 100, 0]
    assert to_8bit(np.array([0.0, 65535.0])).tolist() == [0, 255]


@pytest.mark.parametrize(
    "bad", [np.array([-1, 3]), np.array([70000]), np.array([-0.5]), np.array([1j]), np.array([1e9])]
)
def test_what_is_no_pixel_is_refused(bad):
    with pytest.raises(UnsupportedFormatError, match=r"scan\.tif"):
        to_8bit(bad, "scan.tif")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_channels_become_rgb(channels):
    values = np.full((3, 4, channels), 200, np.uint8)
    if channels in (2, 4):
        values[..., -1] = 255
    pixels = to_rgb(values)
    assert pixels.shape == (3, 4, 3)
    assert pixels.flags.c_contiguous
    assert (pixels == 200).all()


def test_transparent_is_black():
    values = np.array([[[200, 100, 50, 0], [200, 100, 50, 255], [200, 100, 50, 128]]], np.uint8)
    assert over_black(values).tolist() == [[[0, 0, 0], [200, 100, 50], [100, 50, 25]]]


@pytest.mark.parametrize("shape", [(4,), (3, 4, 5), (2, 3, 4, 3), (0, 4, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(UnsupportedFormatError, match="a photograph has"):
        to_rgb(np.zeros(shape, np.uint8))
