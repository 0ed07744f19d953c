import numpy as np
import pytest

from napari_medpatch.errors import OutputError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export_format import export_format, result_format

PHOTO = ArraySource(np.zeros((4, 5, 3), np.uint8), "photo")
VOLUME = ArraySource(np.zeros((3, 4, 5), np.int16), "volume")
SLICE = ArraySource(np.zeros((1, 4, 5), np.int16), "volume")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.nii.gz", "NIfTI"),
        ("a.NII", "NIfTI"),
        ("a.b.ome.tif", "OME-TIFF"),
        ("a.TIFF", "OME-TIFF"),
        ("a.png", "PNG"),
        ("a.geojson.gz", "GeoJSON"),
        ("a.csv", "CSV"),
        ("a.nrrd", "NRRD"),
        ("a.SEG.nrrd", "segmentation NRRD"),
        ("a.mha", "MetaImage"),
        ("a.dcm", "DICOM-SEG"),
        ("a.stl", "STL"),
        ("a.ply", "PLY"),
        ("folder", "PNG series"),
        ("folder/", "PNG series"),
    ],
)
def test_suffix_says_the_format(name, found):
    assert export_format(name) == found


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.jpg", r"suffix \.jpg names no format; supported are \.nii\.gz, "),
        ("a.mhd", r"MetaImage is written in one file, \.mha"),
        ("a.nhdr", r"NRRD is written in one file, \.nrrd"),
        ("a.zarr", "OME-Zarr is not in this version"),
        ("a.gz", r"suffix \.gz"),
    ],
)
def test_other_suffixes_are_refused_with_the_supported_ones(name, sentence):
    with pytest.raises(OutputError, match=sentence):
        export_format(name)


def test_formats_by_kind_of_image():
    assert result_format("a.png", PHOTO) == "PNG"
    assert result_format("a.nii.gz", VOLUME) == "NIfTI"
    assert result_format("a.png", SLICE) == "PNG"
    with pytest.raises(OutputError, match="NIfTI is for volumes"):
        result_format("a.nii", PHOTO)
    with pytest.raises(OutputError, match="PNG holds one slice and the volume has 3"):
        result_format("a.png", VOLUME)
    with pytest.raises(OutputError, match="GeoJSON holds one slice"):
        result_format("a.geojson", VOLUME)
    with pytest.raises(OutputError, match="CSV holds scores"):
        result_format("a.csv", PHOTO)
    with pytest.raises(OutputError, match=r"suffix \(none\) names no format"):
        result_format("folder", PHOTO)


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd", "a.seg.nrrd", "a.mha", "a.dcm", "a.stl", "a.ply"])
def test_formats_of_volumes_are_not_for_pictures(name):
    with pytest.raises(OutputError, match="is for volumes"):
        result_format(name, PHOTO)


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("a.stl", "image", "STL holds segments, and this is an image"),
        ("a.seg.nrrd", "image", "holds segments"),
        ("a.dcm", "image", "holds segments"),
        ("a.ply", "probabilities", "PLY holds masks, not probabilities"),
        ("slices", "probabilities", "PNG series holds masks"),
        ("a.dcm", "mask", "untitled is array; export the mask with --like SERIES_FOLDER"),
    ],
)
def test_what_a_format_cannot_hold_is_said(name, kind, sentence):
    with pytest.raises(OutputError, match=sentence):
        result_format(name, VOLUME, kind)
