import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.ome import write_ome_tiff
from napari_medpatch.io.png import write_png
from napari_medpatch.io.raster import Raster, read_raster

VALUES = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_ome_tiff_brings_its_calibration(tmp_path):
    note = ExportNote("probabilities", ("a", "b"))
    path = write_ome_tiff(
        np.stack([VALUES, VALUES]),
        tmp_path / "a.tif",
        pixel_size=(2, 3),
        origin=(0.5, 1),
        channel_names=("a", "b"),
        note=note,
    )
    raster = read_raster(path)
    assert (raster.axes, raster.unit, raster.channel_names, raster.note) == ("CYX", "um", ("a", "b"), note)
    assert raster.pixel_size == (2, 3)
    assert raster.origin == (0.5, 1)
    assert raster.is_map


def test_png_brings_its_note(tmp_path):
    raster = read_raster(write_png(VALUES, tmp_path / "a.png", note=ExportNote("mask", ("x",))))
    assert raster.axes == "YX"
    assert raster.note.class_names == ("x",)
    assert np.array_equal(raster.values, VALUES)
    assert not raster.is_map


def test_plain_stacks_are_slices(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 8, 9), np.uint8), photometric="minisblack")
    raster = read_raster(tmp_path / "a.tif")
    assert (raster.axes, raster.values.shape, raster.pixel_size) == ("ZYX", (5, 8, 9), None)


def test_floats_without_note_are_a_map():
    assert Raster(np.zeros((3, 4), np.float32), "YX").is_map
    assert not Raster(VALUES, "YX").is_map


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_pictures_are_no_raster(tmp_path, name):
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / name)
    assert read_raster(tmp_path / name) is None


def test_one_bit_images_are_zero_and_one(tmp_path):
    Image.fromarray(VALUES > 3).save(tmp_path / "a.png")
    assert np.array_equal(read_raster(tmp_path / "a.png").values, VALUES > 3)


def test_empty_file_is_damage(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DamagedFileError, match="empty"):
        read_raster(tmp_path / "a.png")
