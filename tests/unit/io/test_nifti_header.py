from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from volume_cases import SHAPE, affine_of, numbered, write_nifti1

from napari_medpatch.errors import DamagedFileError, GeometryError, UnsupportedFormatError
from napari_medpatch.io.nifti_file import open_nifti
from napari_medpatch.io.nifti_header import parse_header, scaling


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ct.nii"


@pytest.mark.parametrize("bad", [0.0, -1.5, np.nan, np.inf])
def test_impossible_voxel_size_is_refused_though_the_sform_is_good(path, bad):
    write_nifti1(path, numbered(), pixdim=[1, 0.7, bad, 2, 0, 0, 0, 0])
    with pytest.raises(GeometryError, match=r"voxel size 0.7 × .* × 2 mm, which is impossible; correct pixdim"):
        open_nifti(path)


def test_affine_without_volume_is_refused(path):
    write_nifti1(path, numbered(), srow_x=[1, 0, 0, 0], srow_y=[1, 0, 0, 0], srow_z=[0, 0, 1, 0], sform_code=1)
    with pytest.raises(GeometryError, match="cannot be inverted"):
        open_nifti(path)


def test_broken_sform_falls_back_to_the_qform(path):
    affine = affine_of(np.diag([-1.0, -1, 1]))
    image = nib.Nifti1Image(numbered(), affine)
    image.header.set_qform(affine, code=1)
    image.to_filename(path)
    block = bytearray(path.read_bytes())
    np.frombuffer(block, dtype=nib.nifti1.header_dtype, count=1)["srow_x"] = np.nan
    path.write_bytes(block)
    file = open_nifti(path)
    np.testing.assert_allclose(file.affine, affine, atol=1e-5)
    assert any("qform is used" in note for note in file.notes)


def test_no_position_uses_pixdim_and_says_so(path):
    write_nifti1(path, numbered(), sform_code=0, qform_code=0, pixdim=[1, 0.5, 0.6, 3, 0, 0, 0, 0])
    file = open_nifti(path)
    assert file.affine_origin == "NIfTI pixdim"
    assert not file.has_position
    assert "left and right are not known" in file.notes[0]
    np.testing.assert_allclose(file.affine, nib.load(path).affine)


def test_disagreeing_sizes_are_noted(path):
    write_nifti1(path, numbered(), pixdim=[1, 2, 1, 1, 0, 0, 0, 0])
    file = open_nifti(path)
    assert file.notes == ("pixdim (2 × 1 × 1 mm) differs from the affine (1 × 1 × 1 mm), which is used.",)


@pytest.mark.parametrize(("code", "factor"), [(1, 1000.0), (2, 1.0), (3, 0.001), (0, 1.0)])
def test_unit_of_length(path, code, factor):
    file = open_nifti(write_nifti1(path, numbered(), xyzt_units=code))
    assert file.unit_mm == factor
    assert bool(file.notes) == (code in (1, 3))


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((4, 5), np.int16), "2D data .4 × 5., not a volume"),
        (np.zeros(SHAPE, np.complex64), "complex numbers"),
        (np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")]), "colours .RGB."),
    ],
)
def test_what_is_no_volume_of_numbers_is_refused(path, array, sentence):
    nib.Nifti1Image(array, np.eye(4)).to_filename(path)
    with pytest.raises(UnsupportedFormatError, match=sentence):
        open_nifti(path)


def test_unknown_type_is_refused(path):
    with pytest.raises(UnsupportedFormatError, match="unknown data type 999"):
        open_nifti(write_nifti1(path, numbered(), datatype=999))


@pytest.mark.parametrize("dim", [[9, 5, 4, 3, 1, 1, 1, 1], [3, 5, -4, 3, 1, 1, 1, 1], [0] * 8])
def test_impossible_dimensions_are_damage(path, dim):
    with pytest.raises(DamagedFileError, match="its header gives the dimensions"):
        open_nifti(write_nifti1(path, numbered(), dim=dim))


def test_cifti_is_named(path):
    header = nib.Nifti2Header()
    header.set_data_shape((1, 1, 1, 1, 6, 7))
    header["intent_code"] = 3001
    with pytest.raises(UnsupportedFormatError, match=r"CIFTI file .values on a brain surface."):
        parse_header(header.binaryblock, path)


def test_analyze_is_named(path):
    nib.AnalyzeImage(numbered(), np.eye(4)).to_filename(path.with_suffix(".img"))
    with pytest.raises(UnsupportedFormatError, match=r"Analyze 7.5"):
        open_nifti(path.with_suffix(".img"))


@pytest.mark.parametrize(
    ("block", "error", "sentence"),
    [
        (b"", DamagedFileError, "is empty"),
        (b"\x5c\x01\0\0" + bytes(100), DamagedFileError, "ends inside its header"),
        (b"NRRD0004" + bytes(540), UnsupportedFormatError, "is not a NIfTI file"),
    ],
)
def test_first_bytes(path, block, error, sentence):
    with pytest.raises(error, match=sentence):
        parse_header(block, path)


def test_scaling_ignores_what_is_no_scale():
    header = nib.Nifti1Header()
    for slope, inter, wanted in [
        (0, 5, (1, 0)),
        (np.nan, np.nan, (1, 0)),
        (2, np.nan, (2, 0)),
        (2, -1024, (2, -1024)),
    ]:
        header["scl_slope"], header["scl_inter"] = slope, inter
        assert scaling(header) == wanted
