import errno
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image
from volume_cases import affine_of, numbered, orientations, write_nifti1

from napari_medpatch.errors import GeometryError, LabelsError, OutputError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import check_output, write_mask, write_probabilities
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.ome import read_ome_geometry
from napari_medpatch.io.png import read_png_note
from napari_medpatch.io.source import Level
from napari_medpatch.io.volume import VolumeSource

RNG = np.random.default_rng(0)
AFFINE = affine_of(orientations()[17], tilt=0.25)


@pytest.fixture
def volume(tmp_path: Path) -> VolumeSource:
    return VolumeSource(write_nifti1(tmp_path / "ct.nii.gz", numbered(), AFFINE))


@pytest.fixture
def photo() -> ArraySource:
    return ArraySource(np.zeros((20, 30, 3), np.uint8), "photo", spacing=(4.0, 5.0))


@pytest.fixture
def slide() -> ArraySource:
    source = ArraySource(np.zeros((4, 4, 3), np.uint8), "slide", spacing=(0.5, 0.25))
    source._levels = (Level((160, 320), (1.0, 1.0)),)
    return source


def mask_of(source, shape=None):
    return RNG.integers(0, 3, shape or source.levels[0].shape).astype(np.uint8)


@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz", "m.ome.tiff", "m.ome.tif", "m.tiff", "m.tif"])
def test_mask_of_a_volume_comes_back(tmp_path, volume, name):
    mask = mask_of(volume)
    assert write_mask(mask, volume, tmp_path / name, class_names=("lung", "heart")) == tmp_path / name
    assert np.array_equal(read_labels(tmp_path / name, volume), mask)


@pytest.mark.parametrize("name", ["m.png", "m.ome.tiff", "m.tif"])
@pytest.mark.parametrize("kind", ["photo", "slide"])
def test_mask_of_a_picture_comes_back(tmp_path, photo, slide, name, kind):
    source = {"photo": photo, "slide": slide}[kind]
    mask = mask_of(source)
    write_mask(mask, source, tmp_path / name, class_names=("a", "b"), provenance={"model": "m"})
    assert np.array_equal(read_labels(tmp_path / name, source), mask)


def test_booleans_and_wide_integers_are_masks(tmp_path, photo):
    for dtype in (bool, np.int64):
        mask = (mask_of(photo) > 0).astype(dtype)
        write_mask(mask, photo, tmp_path / "m.png")
        assert np.array_equal(np.asarray(Image.open(tmp_path / "m.png")), mask)


def test_png_holds_values_and_names(tmp_path, photo):
    mask = mask_of(photo)
    write_mask(mask, photo, tmp_path / "m.png", class_names=("vessel", "disc"), provenance={"seed": 1})
    assert np.array_equal(np.asarray(Image.open(tmp_path / "m.png")), mask)
    note = read_png_note(tmp_path / "m.png")
    assert (note.kind, note.class_names, note.provenance) == ("mask", ("vessel", "disc"), {"seed": 1})


def test_ome_tiff_of_a_volume_is_calibrated(tmp_path, volume):
    write_mask(mask_of(volume), volume, tmp_path / "m.ome.tiff", class_names=("lung",))
    geometry = read_ome_geometry(tmp_path / "m.ome.tiff")
    assert (geometry.axes, geometry.unit) == ("ZYX", "mm")
    assert geometry.pixel_size == pytest.approx(volume.spacing.values)
    x, y, z = volume.canonical_affine[:3, 3]
    assert geometry.origin == pytest.approx((z, -y, -x))
    np.testing.assert_allclose(geometry.note.affine, volume.canonical_affine)
    assert geometry.note.class_names == ("lung",)


def test_coarse_mask_of_a_slide_lies_over_its_pixels(tmp_path, slide):
    write_mask(mask_of(slide, (20, 40)), slide, tmp_path / "m.ome.tiff")
    geometry = read_ome_geometry(tmp_path / "m.ome.tiff")
    assert geometry.pixel_size == pytest.approx((4.0, 2.0))
    assert geometry.origin == pytest.approx(((4.0 - 0.5) / 2, (2.0 - 0.25) / 2))


def test_outlines_are_in_level_0_pixels(tmp_path, slide):
    mask = np.zeros((20, 40), np.uint8)
    mask[2:4, 5:9] = 1
    write_mask(mask, slide, tmp_path / "m.geojson", class_names=("tumour",))
    (feature,) = json.loads((tmp_path / "m.geojson").read_text())["features"]
    corners = np.array(feature["geometry"]["coordinates"][0])
    assert corners.min(axis=0).tolist() == [40, 16]
    assert corners.max(axis=0).tolist() == [72, 32]
    assert feature["properties"]["classification"]["name"] == "tumour"


def test_one_slice_fits_png_and_geojson(tmp_path):
    source = ArraySource(np.zeros((1, 8, 9), np.int16), "volume")
    mask = mask_of(source)
    for name in ("m.png", "m.geojson"):
        write_mask(mask, source, tmp_path / name)
    assert np.array_equal(read_labels(tmp_path / "m.png", source), mask)
    assert json.loads((tmp_path / "m.geojson").read_text())["features"]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float16])
def test_probabilities_of_a_volume_come_back_as_values(tmp_path, volume, dtype):
    maps = RNG.random((2, *volume.data.shape))
    maps = (maps * 255).astype(np.uint8) if dtype == np.uint8 else maps.astype(dtype)
    for name in ("p.nii.gz", "p.ome.tiff"):
        write_probabilities(maps, volume, tmp_path / name, class_names=("a", "b"))
    unit = maps.astype(np.float32) / (255 if dtype == np.uint8 else 1)
    image = nib.load(tmp_path / "p.nii.gz")
    assert image.get_data_dtype() == np.float32
    assert np.array_equal(image.affine, volume.affine)
    for channel in (0, 1):
        np.testing.assert_allclose(
            np.asarray(image.dataobj)[..., channel], volume.to_original(unit[channel]), rtol=1e-6
        )
    stored = tifffile.imread(tmp_path / "p.ome.tiff")
    assert np.array_equal(stored, maps)
    assert stored.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    assert read_ome_geometry(tmp_path / "p.ome.tiff").channel_names == ("a", "b")


def test_probabilities_of_a_photograph(tmp_path, photo):
    maps = RNG.random((1, 20, 30)).astype(np.float32)
    maps[0, 0, 0] = np.nan
    write_probabilities(maps, photo, tmp_path / "p.png", class_names=("vessel",))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "p.png")), np.rint(np.nan_to_num(maps[0]) * 255))
    assert read_png_note(tmp_path / "p.png").kind == "probabilities"
    write_probabilities(maps[0], photo, tmp_path / "p.tif")
    assert np.array_equal(tifffile.imread(tmp_path / "p.tif").squeeze(), maps[0], equal_nan=True)


def test_what_does_not_fit_is_refused(tmp_path, photo, volume):
    maps = np.zeros((2, 20, 30), np.uint8)
    with pytest.raises(OutputError, match="PNG holds one map and there are 2"):
        write_probabilities(maps, photo, tmp_path / "p.png")
    with pytest.raises(OutputError, match="GeoJSON holds outlines, not maps"):
        write_probabilities(maps, photo, tmp_path / "p.geojson")
    with pytest.raises(OutputError, match="made no probability maps"):
        write_probabilities(None, photo, tmp_path / "p.tif")
    with pytest.raises(OutputError, match="floats from 0 to 1 or uint8"):
        write_probabilities(maps.astype(np.float32) + 7, photo, tmp_path / "p.tif")
    with pytest.raises(GeometryError, match="need the axes classes, ZYX"):
        write_probabilities(np.zeros((4, 5), np.uint8), volume, tmp_path / "p.tif")
    with pytest.raises(GeometryError, match="20 × 31 does not lie on the grid of untitled, 20 × 30"):
        write_mask(np.zeros((20, 31), np.uint8), photo, tmp_path / "m.png")
    with pytest.raises(LabelsError, match="whole numbers from 0 to 255, not int64 from 0 to 300"):
        write_mask(np.full((20, 30), 300) * (np.arange(30) > 3), photo, tmp_path / "m.png")
    with pytest.raises(LabelsError, match="float64"):
        write_mask(np.zeros((20, 30)), photo, tmp_path / "m.png")
    assert [p.name for p in tmp_path.iterdir()] == ["ct.nii.gz"]


@pytest.mark.parametrize("name", ["m.nii.gz", "m.ome.tiff"])
def test_unwritable_folder_is_one_sentence(tmp_path, volume, name):
    (tmp_path / "file").write_text("in the way")
    for call in (lambda p: write_mask(mask_of(volume), volume, p), lambda p: check_output(p, volume)):
        with pytest.raises(OutputError, match="in the way"):
            call(tmp_path / "file" / name)


def test_check_output_finds_wrong_suffixes_and_leaves_nothing(tmp_path, photo):
    check_output(tmp_path / "new" / "m.png", photo)
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(OutputError, match="NIfTI is for volumes"):
        check_output(tmp_path / "m.nii.gz", photo)


def test_full_disk_keeps_the_previous_mask(tmp_path, volume, monkeypatch):
    mask = mask_of(volume)
    path = write_mask(mask, volume, tmp_path / "m.nii.gz")

    def full(array):
        yield 0.5, b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_medpatch.io.nifti_export.slabs", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_mask(mask * 0, volume, path)
    assert np.array_equal(read_labels(path, volume), mask)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ct.nii.gz", "m.nii.gz"]


def test_real_mask_survives_export_bit_by_bit(tmp_path, real_data):
    source = VolumeSource(real_data / "ct" / "totalseg_example_ct_sm.nii.gz")
    truth = real_data / "ct" / "totalseg_example_seg.nii.gz"
    write_mask(read_labels(truth, source), source, tmp_path / "m.nii.gz")
    before, after = nib.load(truth), nib.load(tmp_path / "m.nii.gz")
    assert np.array_equal(np.asarray(before.dataobj), np.asarray(after.dataobj))
    assert np.array_equal(before.affine, after.affine)
