import nibabel as nib
import numpy as np
import pytest
from volume_cases import affine_of, numbered, write_nifti1

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.nifti_export import read_nifti_note, write_nifti
from napari_medpatch.io.volume import VolumeSource

AFFINE = affine_of(np.array([[0.0, 0, 1], [-1, 0, 0], [0, 1, 0]]), tilt=0.3)
NOTE = ExportNote("mask", ("lung", "heart"), {"model": "m"})
GRID_FIELDS = ["sform_code", "qform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"]
GRID_FIELDS += ["srow_x", "srow_y", "srow_z", "xyzt_units"]


def write_ct(path, **options):
    image = nib.Nifti1Image(numbered(), AFFINE)
    image.header.set_qform(AFFINE, code=options.pop("qcode", 1))
    image.header.set_sform(AFFINE, code=options.pop("scode", 4))
    image.header.set_xyzt_units("mm", "msec")
    image.header["descrip"] = b"Smith^John"
    image.header["cal_max"] = 400
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"born 1970"))
    image.to_filename(path)
    return path


@pytest.mark.parametrize("codes", [(1, 4), (0, 2), (3, 0), (0, 0)])
@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz"])
def test_every_field_of_the_grid_is_kept(tmp_path, codes, name):
    ct = write_ct(tmp_path / "ct.nii", qcode=codes[0], scode=codes[1])
    source = VolumeSource(ct)
    mask = np.random.default_rng(0).integers(0, 3, source.data.shape).astype(np.uint8)
    write_nifti(mask, source.grid, tmp_path / name, note=NOTE)
    before, after = nib.load(ct), nib.load(tmp_path / name)
    for field in GRID_FIELDS:
        assert np.array_equal(before.header[field], after.header[field]), field
    assert np.array_equal(before.header["pixdim"][:4], after.header["pixdim"][:4])
    assert np.array_equal(before.affine, after.affine)
    assert (after.shape, after.get_data_dtype()) == (before.shape, np.uint8)
    assert np.array_equal(np.asarray(after.dataobj), source.to_original(mask))
    assert after.header["cal_max"] == 0
    assert after.header.get_intent("code")[0] == 1002


def test_names_travel_and_people_do_not(tmp_path):
    source = VolumeSource(write_ct(tmp_path / "ct.nii"))
    path = write_nifti(np.zeros(source.data.shape, np.uint8), source.grid, tmp_path / "m.nii.gz", note=NOTE)
    header = nib.load(path).header
    assert header["descrip"].item() == b"medpatch mask: 1 lung, 2 heart"
    assert len(header.extensions) == 1
    assert read_nifti_note(path) == NOTE
    assert read_nifti_note(tmp_path / "ct.nii") is None


def test_many_names_are_cut_in_the_description_only(tmp_path):
    source = VolumeSource(write_ct(tmp_path / "ct.nii"))
    note = ExportNote("mask", tuple(f"Lappen-Ü-{n}" for n in range(40)))
    path = write_nifti(np.zeros(source.data.shape, np.uint8), source.grid, tmp_path / "m.nii", note=note)
    assert read_nifti_note(path) == note
    assert len(nib.load(path).header["descrip"].item()) <= 79


def test_nifti2_pairs_and_big_endian_become_single_files_of_their_version(tmp_path):
    nib.Nifti2Pair(numbered(), AFFINE).to_filename(tmp_path / "two.img")
    header = nib.Nifti1Header(endianness=">")
    nib.Nifti1Image(numbered(), AFFINE, header).to_filename(tmp_path / "big.nii")
    for name, kind in (("two.img", nib.Nifti2Image), ("big.nii", nib.Nifti1Image)):
        source = VolumeSource(tmp_path / name)
        write_nifti(np.ones(source.data.shape, np.uint8), source.grid, tmp_path / "m.nii", note=NOTE)
        image = nib.load(tmp_path / "m.nii")
        assert type(image) is kind
        assert image.header.endianness == "<"
        assert np.array_equal(image.affine, source.affine)


def test_classes_become_the_fourth_axis(tmp_path):
    source = VolumeSource(write_ct(tmp_path / "ct.nii"))
    maps = np.random.default_rng(0).random((2, *source.data.shape)).astype(np.float32)
    note = ExportNote("probabilities", ("a", "b"))
    image = nib.load(write_nifti(maps, source.grid, tmp_path / "p.nii.gz", note=note))
    assert image.shape == (5, 4, 3, 2)
    for channel in (0, 1):
        assert np.array_equal(np.asarray(image.dataobj)[..., channel], source.to_original(maps[channel]))
    one = nib.load(write_nifti(maps[:1], source.grid, tmp_path / "q.nii.gz", note=note))
    assert one.shape == (5, 4, 3)


def test_one_volume_of_a_series_gives_a_mask_of_three_axes(tmp_path):
    source = VolumeSource(write_nifti1(tmp_path / "s.nii", numbered((5, 4, 3, 2)), AFFINE), volume_index=1)
    image = nib.load(write_nifti(np.ones((source.data.shape), np.uint8), source.grid, tmp_path / "m.nii", note=NOTE))
    assert image.shape == (5, 4, 3)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)


@pytest.mark.parametrize("affine", [None, affine_of(np.diag([-1.0, -1, 1]), tilt=0.2)])
def test_a_plain_array_comes_back_as_it_was_shown(tmp_path, affine):
    data = numbered((3, 4, 5))
    source = ArraySource(data, "volume", spacing=None if affine is not None else (4, 1.5, 0.75), affine=affine)
    labels = (data % 3 == 0).astype(np.uint8)
    path = write_nifti(labels, source.grid, tmp_path / "m.nii.gz", note=NOTE)
    again = VolumeSource(path)
    assert np.array_equal(again.data, labels)
    assert again.spacing.values == pytest.approx((4, 1.5, 0.75))
    assert np.array_equal(read_labels(path, source), labels)


def test_other_shapes_are_refused(tmp_path):
    source = VolumeSource(write_ct(tmp_path / "ct.nii"))
    with pytest.raises(GeometryError, match="does not lie on this volume's grid"):
        write_nifti(np.zeros((1, 2, 3), np.uint8), source.grid, tmp_path / "m.nii", note=NOTE)
    assert not (tmp_path / "m.nii").exists()
