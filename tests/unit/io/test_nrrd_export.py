"""NRRD and MetaImage, read back with SimpleITK: values and world positions of voxels."""

import errno

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own documentation's habit
from volume_cases import affine_of, numbered, orientations, world, write_nifti1

from napari_medpatch.errors import GeometryError, OutputError
from napari_medpatch.events import Noted
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask, write_probabilities, write_volume
from napari_medpatch.io.export_job import exporting_volume
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.read_volume import header_fields, read_note
from napari_medpatch.io.volume import VolumeSource

RNG = np.random.default_rng(0)
SUFFIXES = [".nrrd", ".mha"]
TO_LPS = np.array([-1.0, -1.0, 1.0])


def ras_of(image: sitk.Image, index: np.ndarray) -> np.ndarray:
    return np.array([image.TransformIndexToPhysicalPoint([int(i) for i in one]) for one in index]) * TO_LPS


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("matrix", orientations())
def test_every_orientation_keeps_values_and_places(tmp_path, matrix, suffix):
    affine = affine_of(matrix, tilt=0.2)
    source = VolumeSource(write_nifti1(tmp_path / "ct.nii", numbered(), affine))
    image = sitk.ReadImage(str(write_volume(source, tmp_path / f"out{suffix}")))
    assert np.array_equal(sitk.GetArrayFromImage(image).T, numbered())
    index = RNG.integers(0, (5, 4, 3), (6, 3))
    np.testing.assert_allclose(ras_of(image, index), world(affine, index), atol=1e-4)
    assert image.GetPixelID() == sitk.sitkInt16


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_tilted_gantry_is_kept_and_said(tmp_path, suffix):
    affine = affine_of(np.diag([-1.0, -1, 1]))
    affine[1, 2] = 1.3
    source = ArraySource(numbered().T, "volume", affine=affine)
    events = list(exporting_volume(source, tmp_path / f"tilt{suffix}"))
    assert "tilted gantry" in next(e.message for e in events if isinstance(e, Noted))
    index = RNG.integers(0, (5, 4, 3), (6, 3))
    image = sitk.ReadImage(str(tmp_path / f"tilt{suffix}"))
    np.testing.assert_allclose(ras_of(image, index), world(affine, index), atol=1e-6)


@pytest.mark.parametrize("suffix", [".nrrd", ".seg.nrrd", ".mha"])
def test_a_mask_comes_back_with_its_names(tmp_path, suffix):
    source = VolumeSource(write_nifti1(tmp_path / "ct.nii", numbered(), affine_of(orientations()[9], tilt=0.3)))
    mask = RNG.integers(0, 3, source.data.shape).astype(np.uint8)
    path = write_mask(mask, source, tmp_path / f"m{suffix}", class_names=("Lunge", "Gefäß"), provenance={"model": "x"})
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T, source.to_original(mask))
    assert read_note(path).class_names == ("Lunge", "Gefäß")
    assert np.array_equal(read_labels(path, source), mask)


def test_slicer_finds_names_values_colours_and_terms(tmp_path):
    source = ArraySource(np.zeros((3, 4, 5), np.int16), "volume", spacing=(2, 1, 1))
    mask = np.zeros((3, 4, 5), np.uint8)
    mask[1, 2, 3], mask[2, 2, 2] = 1, 3
    names = ("left lung", "kidney cyst")
    path = write_mask(mask, source, tmp_path / "m.seg.nrrd", class_names=names, colours=("#ff0000",))
    image = sitk.ReadImage(str(path))
    fields = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    assert [fields[f"Segment{n}_Name"] for n in range(3)] == ["left lung", "kidney cyst", "class 3"]
    assert [fields[f"Segment{n}_LabelValue"] for n in range(3)] == ["1", "2", "3"]
    assert fields["Segment0_Color"] == "1.000000 0.000000 0.000000"
    assert fields["Segment0_Extent"] == "0 4 0 3 0 2"
    assert "~SCT^39607008^Lung~SCT^7771000^Left~" in fields["Segment0_Tags"]
    assert "~SCT^367643001^Cyst~^^~" in fields["Segment1_Tags"]
    assert fields["Segment1_Tags"].endswith("~SCT^64033007^Kidney~^^|")
    assert "Binary labelmap" in fields["Segmentation_ContainedRepresentationNames"]


def test_a_part_that_slicer_cropped_lands_where_it_was(tmp_path):
    source = VolumeSource(write_nifti1(tmp_path / "ct.nii", numbered(), affine_of(orientations()[4], tilt=0.1)))
    labels = RNG.integers(0, 3, source.grid.shape).astype(np.uint8)
    whole = sitk.ReadImage(str(write_mask(source.from_original(labels), source, tmp_path / "m.seg.nrrd")))
    sitk.WriteImage(whole[1:4, 2:4, 0:2], str(tmp_path / "part.seg.nrrd"))
    expected = np.zeros_like(labels)
    expected[1:4, 2:4, 0:2] = labels[1:4, 2:4, 0:2]
    assert np.array_equal(source.to_original(read_labels(tmp_path / "part.seg.nrrd", source)), expected)
    sitk.WriteImage(whole[1:4, 2:4, 0:2], str(tmp_path / "part.nrrd"))
    with pytest.raises(GeometryError, match="have other shapes"):
        read_labels(tmp_path / "part.nrrd", source)
    outside = whole[1:4, 2:4, 0:2]
    outside.SetOrigin(whole.TransformIndexToPhysicalPoint((3, 3, 3)))
    sitk.WriteImage(outside, str(tmp_path / "out.seg.nrrd"))
    with pytest.raises(GeometryError, match="one within the other"):
        read_labels(tmp_path / "out.seg.nrrd", source)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_maps_are_vectors_of_floats(tmp_path, suffix):
    source = ArraySource(np.zeros((3, 4, 5), np.int16), "volume", spacing=(2, 1, 1))
    maps = RNG.integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)
    path = write_probabilities(maps, source, tmp_path / f"p{suffix}", class_names=("a", "b"))
    back = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_allclose(np.moveaxis(back, -1, 0), maps / 255, atol=1e-6)
    one = write_probabilities(maps[:1], source, tmp_path / f"one{suffix}")
    assert sitk.ReadImage(str(one)).GetNumberOfComponentsPerPixel() == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_long_provenance_does_not_break_the_header(tmp_path, suffix):
    source = ArraySource(np.zeros((3, 4, 5), np.int16), "volume", spacing=(2, 1, 1))
    mask, story = np.ones((3, 4, 5), np.uint8), {"model": "m" * 20_000, "lines": "a\nb\\n"}
    path = write_mask(mask, source, tmp_path / f"m{suffix}", provenance=story)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), mask)
    assert read_note(path).provenance == story


def test_fields_of_other_files_are_none(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    assert header_fields(tmp_path / "a.txt") == {}
    assert read_note(tmp_path / "a.txt") is None


@pytest.mark.parametrize(("name", "module"), [("m.nrrd", "nrrd_export"), ("m.mha", "metaimage_export")])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, name, module):
    def full(array):
        yield 0.5, b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"napari_medpatch.io.{module}.slabs", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_volume(ArraySource(numbered(), "volume", spacing=(1, 1, 1)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
