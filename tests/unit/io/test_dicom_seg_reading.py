"""DICOM-SEG of other makers, made with highdicom."""

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom_cases import SPACING, write_series
from pydicom.sr.codedict import codes
from test_dicom_seg import OBLIQUE, STUDY, some_mask
from volume_cases import world

from napari_medpatch.errors import DamagedFileError, GeometryError, LabelsError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.dicom_seg_reading import SegFile, is_dicom_seg
from napari_medpatch.io.export import export_path, write_mask
from napari_medpatch.io.labels_file import read_labels


@pytest.fixture
def series(tmp_path):
    return open_source(write_series(tmp_path / "ct", orientation=OBLIQUE, **STUDY))


def foreign(source, path, pixels, kind="BINARY", **options):
    """Write a segmentation of two segments the way highdicom's own guide does."""
    described = [
        hd.seg.SegmentDescription(
            n, f"s{n}", codes.SCT.Tissue, codes.SCT.Organ, "MANUAL", tracking_uid=hd.UID(), tracking_id="t"
        )
        for n in (1, 2)
    ]
    files = [pydicom.dcmread(file) for file in source.slice_files]
    for dataset in files:
        for name in (
            "PatientBirthDate",
            "PatientSex",
            "StudyTime",
            "AccessionNumber",
            "StudyID",
            "ReferringPhysicianName",
        ):
            setattr(dataset, name, getattr(dataset, name, None))
    facts = {"manufacturer": "m", "manufacturer_model_name": "m", "software_versions": "1", "device_serial_number": "1"}
    seg = hd.seg.Segmentation(files, pixels, kind, described, hd.UID(), 9, hd.UID(), 1, **facts, **options)
    seg.save_as(path)
    return path


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP", "FRACTIONAL"])
def test_every_type_of_segmentation_is_read(tmp_path, series, kind):
    mask = some_mask(series, 2)
    pixels = series.to_original(mask).transpose(2, 1, 0)
    path = foreign(series, tmp_path / "s.dcm", pixels, kind)
    assert is_dicom_seg(path)
    assert SegFile(path).names == ("s1", "s2")
    assert np.array_equal(read_labels(path, series), mask)


def test_a_part_of_the_slices_in_any_order(tmp_path, series):
    mask = some_mask(series, 2)
    pixels = np.ascontiguousarray(series.to_original(mask).transpose(2, 1, 0))
    part = type("Part", (), {"slice_files": [series.slice_files[k] for k in (4, 1)]})
    path = foreign(part, tmp_path / "s.dcm", pixels[[4, 1]])
    expected = np.zeros_like(pixels)
    expected[[4, 1]] = pixels[[4, 1]]
    assert np.array_equal(series.to_original(read_labels(path, series)).transpose(2, 1, 0), expected)


def test_fractions_count_from_one_half(tmp_path, series):
    chances = np.zeros((6, 5, 4, 2), np.float32)
    chances[1, 1, 1, 0], chances[1, 2, 1, 0], chances[2, 1, 1, 1] = 0.49, 0.51, 1.0
    labels = series.to_original(read_labels(foreign(series, tmp_path / "s.dcm", chances, "FRACTIONAL"), series))
    assert np.argwhere(labels).tolist() == [[1, 1, 2], [1, 2, 1]]
    assert labels[1, 1, 2] == 2


def test_exactly_one_half_counts(tmp_path, series):
    chances = np.full((6, 5, 4, 1), 0.5, np.float32) * [1, 0]
    path = foreign(series, tmp_path / "s.dcm", chances, "FRACTIONAL", max_fractional_value=254)
    assert (read_labels(path, series) == 1).all()


@pytest.mark.parametrize(("longer", "fits"), [((1.01, 1), True), ((1, 1.01), False)])
def test_spacing_may_differ_by_what_does_not_add_up_to_a_voxel(tmp_path, longer, fits):
    """A hundredth of a voxel matters along 40 columns, not along 3 rows."""
    pixels = np.zeros((3, 3, 40), np.int16)
    source = open_source(write_series(tmp_path / "ct", pixels, **STUDY))
    path = write_mask(np.ones((3, 3, 40), np.uint8), source, tmp_path / "s.dcm")
    spacing = [size * factor for size, factor in zip(SPACING, longer, strict=True)]
    other = open_source(write_series(tmp_path / "other", pixels, PixelSpacing=spacing, **STUDY))
    if fits:
        assert (read_labels(path, other) == 1).all()
        return
    with pytest.raises(GeometryError, match="do not lie on the voxels of"):
        read_labels(path, other)


def test_overlapping_segments_are_refused(tmp_path, series):
    pixels = np.zeros((6, 5, 4, 2), np.uint8)
    pixels[2, 2, 2] = 1
    path = foreign(series, tmp_path / "s.dcm", pixels)
    with pytest.raises(LabelsError, match=r"Segments s1 and s2 of .* overlap"):
        read_labels(path, series)


def test_it_lands_on_the_same_scan_in_another_format(tmp_path, series):
    mask = some_mask(series)
    path = write_mask(mask, series, tmp_path / "s.dcm")
    nifti = open_source(export_path(series.path, tmp_path / "ct.nii.gz"))
    assert np.array_equal(read_labels(path, nifti), mask)


def test_another_grid_is_refused(tmp_path, series):
    path = write_mask(some_mask(series), series, tmp_path / "s.dcm")
    other = open_source(write_series(tmp_path / "other", orientation=(0.0, 1, 0, 0, 0, -1), **STUDY))
    with pytest.raises(GeometryError, match="do not lie on the voxels of"):
        read_labels(path, other)
    short = open_source(write_series(tmp_path / "short", np.zeros((2, 5, 4), np.int16), orientation=OBLIQUE, **STUDY))
    with pytest.raises(GeometryError, match="has segments outside"):
        read_labels(path, short)
    nowhere = ArraySource(np.zeros(series.levels[0].shape, np.int16), "volume", spacing=(2.5, 0.75, 0.5))
    with pytest.raises(GeometryError, match="does not say where it lies"):
        read_labels(path, nowhere)


@pytest.mark.parametrize("with_series", [True, False])
def test_export_to_nifti_with_and_without_the_series(tmp_path, series, with_series):
    mask = np.zeros(series.levels[0].shape, np.uint8)
    mask[2:4, 1:3, 1], mask[4, 2, 2] = 1, 2
    seg = write_mask(mask, series, tmp_path / "s.dcm", class_names=("lung", "heart"))
    image = nib.load(export_path(seg, tmp_path / "m.nii.gz", like=series.path if with_series else None))
    labels = np.asarray(image.dataobj)
    for value in (1, 2):
        mine = np.argwhere(series.to_original(mask) == value)
        there = world(image.affine, np.argwhere(labels == value))
        here = world(series.affine, mine)
        np.testing.assert_allclose(there[np.lexsort(there.T)], here[np.lexsort(here.T)], atol=1e-3)
    assert (labels.shape == series.grid.shape) == with_series
    assert image.header["descrip"].item() == b"medpatch mask: 1 lung, 2 heart"


def test_other_dicom_and_damaged_files(tmp_path, series):
    assert not is_dicom_seg(series.slice_files[0])
    assert not is_dicom_seg(tmp_path)
    path = write_mask(some_mask(series), series, tmp_path / "s.dcm")
    dataset = pydicom.dcmread(path)
    del dataset.SegmentSequence
    dataset.save_as(path)
    with pytest.raises(DamagedFileError, match="no readable DICOM-SEG"):
        read_labels(path, series)
