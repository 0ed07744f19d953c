import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_medpatch.errors import LabelsError, UnsupportedFormatError
from napari_medpatch.io.label_image import read_label_image, to_labels

VALUES = np.array([[0, 1, 2], [3, 200, 7]], np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_grey_values_are_labels(tmp_path, name):
    Image.fromarray(VALUES).save(tmp_path / name)
    labels = read_label_image(tmp_path / name)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, VALUES)


def test_palette_gives_indices_not_colours(tmp_path):
    image = Image.fromarray(VALUES, mode="P")
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_label_image(tmp_path / "a.png"), VALUES)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16"])
def test_equal_channels_and_sixteen_bits(tmp_path, mode):
    image = Image.fromarray(VALUES.astype(np.uint16)) if mode == "I;16" else Image.fromarray(VALUES).convert(mode)
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_label_image(tmp_path / "a.png"), VALUES)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_one_bit_is_no_and_yes(tmp_path, name):
    Image.fromarray(VALUES > 1).save(tmp_path / name)
    assert np.array_equal(read_label_image(tmp_path / name), VALUES > 1)


def test_black_and_white_is_no_and_yes(tmp_path):
    Image.fromarray(np.where(VALUES > 1, 255, 0).astype(np.uint8)).save(tmp_path / "a.png")
    assert np.array_equal(read_label_image(tmp_path / "a.png"), VALUES > 1)


def test_stack_of_slices(tmp_path):
    stack = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    assert np.array_equal(read_label_image(tmp_path / "a.tif"), stack)


def test_jpeg_and_colours_are_refused(tmp_path):
    Image.fromarray(VALUES).save(tmp_path / "a.jpg")
    with pytest.raises(LabelsError, match="compression changes label values"):
        read_label_image(tmp_path / "a.jpg")
    Image.fromarray(np.stack([VALUES, VALUES, VALUES + 1], axis=2)).save(tmp_path / "a.png")
    with pytest.raises(LabelsError, match="is a colour picture"):
        read_label_image(tmp_path / "a.png")
    Image.fromarray(np.stack([VALUES] * 4, axis=2)).save(tmp_path / "b.png")
    with pytest.raises(LabelsError, match="partly transparent"):
        read_label_image(tmp_path / "b.png")


def test_text_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("labels")
    with pytest.raises(UnsupportedFormatError, match="not a PNG"):
        read_label_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.array([0.0, 1.5]), "holds the value 1.5"),
        (np.array([0.0, np.nan]), "holds the value nan"),
        (np.array([0, 4610]), "values from 0 to 4610"),
        (np.array([-1, 3]), "values from -1 to 3"),
    ],
)
def test_values_that_are_no_labels(tmp_path, array, sentence):
    with pytest.raises(LabelsError, match=sentence):
        to_labels(array, tmp_path / "a.nii")


def test_whole_floats_are_labels(tmp_path):
    assert to_labels(np.array([0.0, 3.0, 255.0]), tmp_path).tolist() == [0, 3, 255]


def test_real_masks_are_zero_and_one(real_data):
    for path in [
        real_data / "fundus/chasedb1/Image_01L_1stHO.png",
        next((real_data / "patches/glas/masks").iterdir()),
        next((real_data / "ct/lung2d/masks").iterdir()),
    ]:
        assert np.unique(read_label_image(path)).tolist() == [0, 1], path.name
