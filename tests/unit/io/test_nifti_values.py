import numpy as np
import pytest
from volume_cases import affine_of, write_nifti1

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io import nifti_file
from napari_medpatch.io.nifti_file import open_nifti
from napari_medpatch.io.nifti_values import read_volume, survey
from napari_medpatch.io.orientation import Orientation
from napari_medpatch.steps import finish

AS_STORED = Orientation((2, 1, 0), (False, False, False))
SHAPE = (12, 10, 8)


def read(tmp_path, array, **header):
    path = write_nifti1(
        tmp_path / "a.nii.gz" if not header else tmp_path / "a.nii", array, affine_of(np.eye(3)), **header
    )
    values, facts = finish(read_volume(open_nifti(path), AS_STORED))
    assert values.flags.c_contiguous
    return values.T, facts


def ct(dtype=np.float32):
    values = np.random.default_rng(1).integers(-1024, 3000, SHAPE)
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_whole_numbers_become_int16_unchanged(tmp_path, dtype):
    array = np.random.default_rng(0).integers(0, 120, SHAPE).astype(dtype)
    values, facts = read(tmp_path, array)
    assert values.dtype == np.int16
    assert np.array_equal(values, array)
    assert facts.whole
    assert not facts.is_ct


def test_numbers_beyond_int16_become_float32(tmp_path):
    array = np.arange(np.prod(SHAPE), dtype=np.int32).reshape(SHAPE) * 100
    values, facts = read(tmp_path, array)
    assert values.dtype == np.float32
    assert np.array_equal(values, array)
    assert facts.high == array.max()


def test_ct_with_fractions_is_rounded(tmp_path):
    array = ct() + np.float32(0.3)
    values, facts = read(tmp_path, array)
    assert values.dtype == np.int16
    assert facts.is_ct
    assert not facts.whole
    assert np.array_equal(values, ct())


def test_other_fractions_stay(tmp_path):
    array = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    values, _ = read(tmp_path, array)
    assert values.dtype == np.float32
    assert np.array_equal(values, array)


def test_slope_and_intercept_give_hu(tmp_path):
    stored = (ct(np.int32) + 1024).astype(np.uint16)
    values, facts = read(tmp_path, stored, scl_slope=1, scl_inter=-1024)
    assert values.dtype == np.int16
    assert np.array_equal(values, ct())
    assert facts.is_ct


def test_fractional_slope(tmp_path):
    stored = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
    values, _ = read(tmp_path, stored, scl_slope=0.375, scl_inter=7.5)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, stored * 0.375 + 7.5, rtol=1e-6)


def test_values_that_are_no_numbers_become_the_smallest(tmp_path):
    array = ct()
    array[0, 0, :3] = np.nan, np.inf, -np.inf
    values, facts = read(tmp_path, array)
    assert facts.bad == 3
    assert values.dtype == np.int16
    assert (values[0, 0, :3] == facts.low).all()
    assert np.array_equal(values[1:], array[1:])


def test_only_nan_is_refused(tmp_path):
    with pytest.raises(UnsupportedFormatError, match="no finite value"):
        read(tmp_path, np.full(SHAPE, np.nan, np.float32))


def test_a_few_low_voxels_do_not_make_a_ct():
    values = np.zeros((20, 20, 20), np.int16)
    values[0, 0, :4] = -600
    assert not survey(values).is_ct
    values[0, :2] = -600
    assert survey(values).is_ct


def test_memory_of_reading_stays_below_two_copies(tmp_path, monkeypatch):
    import tracemalloc

    monkeypatch.setattr(nifti_file, "_SLAB_VOXELS", 100_000)
    path = write_nifti1(tmp_path / "a.nii.gz", np.tile(ct(), (16, 12, 20)), affine_of(np.eye(3)))
    file = open_nifti(path)
    tracemalloc.start()
    values, _ = finish(read_volume(file, AS_STORED))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values.dtype == np.int16
    assert peak < 2 * values.nbytes
