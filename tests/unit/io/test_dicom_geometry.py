"""Where DICOM series lie: the same as through NIfTI, as SimpleITK says, in every orientation."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from dicom_cases import AXIAL, lps, normal_of, stored_values, write_series
from volume_cases import world

from napari_medpatch.io.detect import open_source
from napari_medpatch.io.export import write_mask

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
FEET_FIRST_PRONE = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def turned(orientation: tuple[float, ...], degrees: float) -> tuple[float, ...]:
    """Turn an orientation about an odd axis."""
    axis = np.array([0.3, -0.5, 0.81])
    k = np.cross(np.eye(3), axis / np.linalg.norm(axis))
    angle = np.radians(degrees)
    turn = np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)
    return tuple(np.concatenate([turn @ orientation[:3], turn @ orientation[3:]]).round(12).tolist())


CASES = [
    pytest.param(turned(base, angle), id=f"{name} {angle}")
    for name, base in (("axial", AXIAL), ("sagittal", SAGITTAL), ("coronal", CORONAL), ("prone", FEET_FIRST_PRONE))
    for angle in (0, 12, 40)
]


def itk_series(folder: Path) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def itk_affine(image: SimpleITK.Image) -> np.ndarray:
    """Index to LPS+ mm."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return affine


@pytest.mark.parametrize("orientation", CASES)
def test_values_and_positions_are_those_that_simpleitk_reads(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    source = open_source(write_series(tmp_path, orientation=orientation))
    image = itk_series(tmp_path)
    np.testing.assert_allclose(lps(source.affine), itk_affine(image), atol=1e-6)
    assert np.array_equal(source.to_original(source.data), SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0))


@pytest.mark.parametrize("orientation", CASES)
def test_the_same_volume_as_nifti_gives_the_same_array_and_world(
    tmp_path: Path, orientation: tuple[float, ...]
) -> None:
    """The NIfTI file is written by hand from the DICOM attributes, without our code."""
    source = open_source(write_series(tmp_path / "dicom", orientation=orientation))
    affine = np.eye(4)
    affine[:3, 0] = np.array(orientation[:3]) * 0.5
    affine[:3, 1] = np.array(orientation[3:]) * 0.75
    affine[:3, 2] = normal_of(orientation) * 2.5
    affine[:3, 3] = (-10.5, 20.25, -300.0)
    values = stored_values().transpose(2, 1, 0) - 1024
    image = nib.Nifti1Image(values.astype(np.int16), np.diag([-1.0, -1, 1, 1]) @ affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "a.nii.gz")
    same = open_source(tmp_path / "a.nii.gz")
    assert np.array_equal(source.data, same.data)
    np.testing.assert_allclose(source.canonical_affine, same.canonical_affine, atol=1e-5)
    np.testing.assert_allclose(source.spacing.values, same.spacing.values, rtol=1e-6)


@pytest.mark.parametrize("orientation", CASES)
def test_a_point_painted_in_the_window_lands_there_in_the_nifti(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    source = open_source(write_series(tmp_path / "dicom", orientation=orientation))
    mask = np.zeros(source.data.shape, np.uint8)
    at = (source.data.shape[0] - 1, 1, source.data.shape[2] - 2)
    mask[at] = 1
    write_mask(mask, source, tmp_path / "mask.nii.gz")
    written = nib.load(tmp_path / "mask.nii.gz")
    painted = np.argwhere(np.asarray(written.dataobj) == 1)
    there = world(source.canonical_affine, np.array([at[::-1]]))
    np.testing.assert_allclose(world(written.affine, painted), there, atol=1e-4)
    assert written.header.get_xyzt_units()[0] == "mm"
    assert int(written.header["sform_code"]) == int(written.header["qform_code"]) == 1
    np.testing.assert_allclose(written.header.get_qform(), written.header.get_sform(), atol=1e-4)


def test_a_tilted_gantry_shears_the_nifti_too(tmp_path: Path) -> None:
    drift = np.array([0, 0.4, 0])
    source = open_source(write_series(tmp_path / "dicom", drift=drift))
    write_mask(np.ones(source.data.shape, np.uint8), source, tmp_path / "m.nii.gz")
    written = nib.load(tmp_path / "m.nii.gz")
    np.testing.assert_allclose(lps(written.affine)[:3, 2], [0, 0.4, 2.5], atol=1e-6)
    assert int(written.header["qform_code"]) == 0  # a quaternion cannot be sheared


def test_the_real_series_agrees_with_simpleitk_and_with_the_whole_scan(real_data: Path) -> None:
    folder = real_data / "ct" / "LIDC-IDRI-0001_dicom_16slices"
    source, image = open_source(folder), itk_series(folder)
    assert np.array_equal(source.data, SimpleITK.GetArrayFromImage(image))
    np.testing.assert_allclose(lps(source.affine), itk_affine(image), atol=1e-6)
    whole = open_source(real_data / "ct" / "LIDC-IDRI-0001_ct_256.nii.gz")
    place = np.linalg.solve(whole.canonical_affine, source.canonical_affine @ [0.5, 0.5, 0, 1])
    x, y, z = (round(float(n)) for n in place[:3])
    np.testing.assert_allclose(place[:3], (x, y, z), atol=1e-3)
    halved = np.maximum(source.data, -1024).reshape(16, 256, 2, 256, 2).mean(axis=(2, 4))
    assert abs(halved - whole.data[z : z + 16]).mean() < 1  # that file is clipped at -1024
