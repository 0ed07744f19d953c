import numpy as np
import pytest

from napari_medpatch.errors import WrongKindError
from napari_medpatch.geometry import Box
from napari_medpatch.io.array_source import ArraySource


def test_photographs_are_padded_black_and_slides_white():
    pixels = np.full((4, 4, 3), 77, np.uint8)
    box = Box((-1, 0), (2, 2))
    assert ArraySource(pixels, "photo").read(0, box)[0].max() == 0
    slide = ArraySource(pixels, "slide").read(0, box)
    assert slide[0].min() == 255
    assert (slide[1:] == 77).all()


def test_box_far_outside_is_all_background():
    block = ArraySource(np.ones((4, 4, 3), np.uint8), "photo").read(0, Box((10, 10), (12, 13)))
    assert block.shape == (2, 3, 3)
    assert not block.any()


def test_reading_returns_copies():
    source = ArraySource(np.zeros((4, 4, 3), np.uint8), "photo")
    source.read(0, Box.whole((4, 4)))[:] = 9
    assert not source.array.any()


def test_other_levels_do_not_exist():
    with pytest.raises(IndexError, match="one level"):
        ArraySource(np.zeros((4, 4, 3), np.uint8), "photo").read(1, Box.whole((2, 2)))


def test_a_photograph_has_no_affine():
    source = ArraySource(np.zeros((4, 4, 3), np.uint8), "photo")
    assert not hasattr(source, "affine")
    assert getattr(source, "header", None) is None
    with pytest.raises(WrongKindError, match="is a photo, not a volume"):
        source.to_original(np.zeros((4, 4)))


def test_a_volume_has_no_field_of_view():
    with pytest.raises(WrongKindError, match="only photographs"):
        ArraySource(np.zeros((3, 4, 5), np.int16), "volume").fov_mask()
