"""Folders of PNG slices, looked at with Pillow and read back."""

import json

import numpy as np
import pytest
from PIL import Image
from volume_cases import affine_of, numbered, orientations, write_nifti1

from napari_medpatch.errors import DamagedFileError, OutputError, UnsupportedFormatError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.export import write_mask, write_volume
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.png_series import is_png_series
from napari_medpatch.io.png_series_reading import PngSeriesSource
from napari_medpatch.io.volume import VolumeSource

RNG = np.random.default_rng(0)


@pytest.fixture
def volume(tmp_path):
    return VolumeSource(write_nifti1(tmp_path / "ct.nii", numbered(), affine_of(orientations()[7], tilt=0.3)))


def pixels(path):
    with Image.open(path) as picture:
        return np.array(picture)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_image_keeps_every_value_and_its_place(tmp_path, volume, axis):
    folder = write_volume(volume, tmp_path / "slices", options=ExportOptions(axis=axis))
    names = sorted(path.name for path in folder.glob("*.png"))
    assert names == [f"slice-{n:04d}.png" for n in range(volume.data.shape[axis])]
    index = json.loads((folder / "index.json").read_text())
    assert index["offset"] == 1000
    plane = np.take(volume.data, 0, axis=axis)
    assert np.array_equal(pixels(folder / names[0]).astype(int) - 1000, plane[::-1] if axis else plane)
    back = PngSeriesSource(folder)
    assert np.array_equal(back.data, volume.data)
    np.testing.assert_allclose(back.canonical_affine, volume.canonical_affine)
    assert back.spacing.values == pytest.approx(volume.spacing.values)


def test_a_window_makes_eight_bit_pictures(tmp_path, volume):
    folder = write_volume(volume, tmp_path / "slices", options=ExportOptions(window=(-1000.0, -900.0)))
    shown = pixels(folder / "slice-0001.png")
    assert shown.dtype == np.uint8
    expected = np.rint((volume.data[1].astype(float) + 1000).clip(0, 100) * 2.55)
    assert np.array_equal(shown, expected)
    assert json.loads((folder / "index.json").read_text())["window"] == [-1000.0, -900.0]
    assert np.abs(PngSeriesSource(folder).data - volume.data.clip(-1000, -900)).max() <= 1


@pytest.mark.parametrize("coloured", [False, True])
def test_a_mask_keeps_its_values_with_and_without_colours(tmp_path, volume, coloured):
    mask = RNG.integers(0, 3, volume.data.shape).astype(np.uint8)
    options = ExportOptions(coloured=coloured)
    folder = write_mask(mask, volume, tmp_path / "m", class_names=("a", "b"), colours=("#ff0000",), options=options)
    with Image.open(folder / "slice-0002.png") as picture:
        assert picture.mode == ("P" if coloured else "L")
        assert np.array_equal(np.array(picture), mask[2])
        if coloured:
            assert picture.getpalette()[:6] == [0, 0, 0, 255, 0, 0]
    assert np.array_equal(read_labels(folder, volume), mask)
    assert PngSeriesSource(folder).note.class_names == ("a", "b")


def test_only_a_series_of_ours_is_replaced(tmp_path, volume):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").write_text("years of work")
    with pytest.raises(OutputError, match="a folder with other files"):
        write_volume(volume, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.doc").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    write_volume(volume, tmp_path / "empty")
    write_volume(volume, tmp_path / "empty", options=ExportOptions(axis=2))
    assert len(list((tmp_path / "empty").glob("*.png"))) == volume.data.shape[2]


def test_values_beyond_sixteen_bits_ask_for_a_window(tmp_path):
    floats = ArraySource(np.linspace(0, 1, 60).reshape(3, 4, 5), "volume", spacing=(1, 1, 1))
    with pytest.raises(OutputError, match="give a window"):
        write_volume(floats, tmp_path / "slices")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_slices_opens_as_the_volume_it_was(tmp_path, volume):
    source = open_source(write_volume(volume, tmp_path / "slices"))
    assert (source.format, source.metadata["value_unit"], source.metadata["notes"]) == ("PNG series", "HU", [])
    assert np.array_equal(source.data, volume.data)
    windowed = open_source(write_volume(volume, tmp_path / "w", options=ExportOptions(window=(-1000.0, 0.0))))
    assert windowed.metadata["notes"] == ["The slices hold values from -1000.0 to 0.0 in 256 steps."]
    mask = open_source(write_mask(np.ones(volume.data.shape, np.uint8), volume, tmp_path / "m"))
    assert mask.metadata["value_unit"] == "arbitrary units"


def test_an_array_without_a_place_keeps_its_spacing(tmp_path):
    source = ArraySource(numbered(), "volume", spacing=(3, 2, 1))
    back = PngSeriesSource(write_volume(source, tmp_path / "slices"))
    assert back.spacing.values == (3, 2, 1)
    assert not back.grid.known


def test_damaged_series_are_one_sentence(tmp_path, volume):
    folder = write_volume(volume, tmp_path / "slices")
    (folder / "slice-0001.png").unlink()
    with pytest.raises(UnsupportedFormatError, match=r"slice-0001\.png"):
        PngSeriesSource(folder)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(folder / "slice-0001.png")
    with pytest.raises(DamagedFileError, match="2 × 2 pixels"):
        PngSeriesSource(folder)
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(index | {"files": index["files"][:2]}))
    with pytest.raises(DamagedFileError, match="2 slices for"):
        PngSeriesSource(folder)
    (folder / "index.json").write_text(json.dumps({"format": index["format"]}))
    with pytest.raises(DamagedFileError):
        PngSeriesSource(folder)
    (folder / "index.json").write_text("[]")
    assert not is_png_series(folder)
    with pytest.raises(DamagedFileError):
        PngSeriesSource(folder)
    (folder / "index.json").write_text("{}")
    with pytest.raises(UnsupportedFormatError, match="not the index"):
        PngSeriesSource(folder)
