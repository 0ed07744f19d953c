import numpy as np
import pytest
from PIL import Image
from volume_cases import numbered, write_nifti1

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.labels_file import is_nifti, labels_downsample, read_labels
from napari_medpatch.io.source import Level


class Pyramid(ArraySource):
    """A slide that claims to be larger than its array."""

    def __init__(self, *levels):
        super().__init__(np.zeros((4, 4, 3), np.uint8), "slide")
        self._levels = tuple(Level(shape, downsample) for shape, downsample in levels)


@pytest.fixture
def slide():
    return Pyramid(((2967, 2220), (1.0, 1.0)), ((741, 555), (4.00409, 4.0)))


def save(path, shape):
    Image.fromarray(np.ones(shape, np.uint8)).save(path)
    return path


def test_labels_of_a_photograph_need_its_shape(tmp_path):
    source = ArraySource(np.zeros((6, 9, 3), np.uint8), "photo", path="eye.png")
    assert read_labels(save(tmp_path / "l.png", (6, 9)), source).shape == (6, 9)
    with pytest.raises(GeometryError, match=r"shape 9 × 6 and eye\.png 6 × 9; labels need the same"):
        read_labels(save(tmp_path / "l.png", (9, 6)), source)


def test_a_volume_is_no_label_of_a_photograph(tmp_path):
    source = ArraySource(np.zeros((6, 9, 3), np.uint8), "photo")
    with pytest.raises(GeometryError, match="is a NIfTI volume and untitled a photo"):
        read_labels(write_nifti1(tmp_path / "l.nii", numbered()), source)


def test_labels_of_a_slide_may_be_coarse(tmp_path, slide):
    labels = read_labels(save(tmp_path / "l.png", (186, 139)), slide)
    assert labels.shape == (186, 139)
    assert labels_downsample(labels, slide) == (16.0, 16.0)


@pytest.mark.parametrize(
    ("shape", "downsample"),
    [
        ((2967, 2220), (1.0, 1.0)),
        ((741, 555), (4.00409, 4.0)),
        ((185, 138), (16.0, 16.0)),
        ((186, 138), (16.0, 16.0)),
        ((1187, 888), (2967 / 1187, 2220 / 888)),
    ],
)
def test_downsample_prefers_levels_then_whole_numbers(slide, shape, downsample):
    assert labels_downsample(np.zeros(shape), slide) == downsample


@pytest.mark.parametrize("shape", [(185, 160), (5934, 4440), (138, 185), (186, 139, 2)])
def test_rasters_of_something_else_are_refused(slide, shape):
    with pytest.raises(GeometryError, match="they must show the whole slide"):
        labels_downsample(np.zeros(shape), slide)


def test_signature_tells_nifti(tmp_path):
    assert is_nifti(write_nifti1(tmp_path / "a.nii.gz", numbered()))
    (tmp_path / "a.nii.gz").rename(tmp_path / "b.png")
    assert is_nifti(tmp_path / "b.png")
    assert not is_nifti(save(tmp_path / "c.png", (3, 4)))


def test_truth_of_the_mosaic_fits_its_slide(real_data):
    truth = real_data / "wsi" / "derived_mosaic_ucsb_dev_truth_ds16.png"
    mosaic = Pyramid(((3872, 4384), (1.0, 1.0)))
    assert labels_downsample(read_labels(truth, mosaic), mosaic) == (16.0, 16.0)
