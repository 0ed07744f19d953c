import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from volume_cases import affine_of, numbered, orientations, world, write_nifti1

from napari_medpatch.errors import ChoiceNeededError, MedPatchError
from napari_medpatch.geometry import Box
from napari_medpatch.io.export import write_mask
from napari_medpatch.io.source import Source
from napari_medpatch.io.volume import VolumeSource


@pytest.fixture
def source(tmp_path: Path) -> VolumeSource:
    return VolumeSource(write_nifti1(tmp_path / "ct.nii.gz", numbered(), affine_of(np.diag([1.0, -1, -1]), tilt=0.1)))


def test_follows_the_protocol(source):
    assert isinstance(source, Source)
    assert (source.kind, source.axes, source.dtype, source.format) == ("volume", "ZYX", np.int16, "NIfTI-1")
    assert source.levels[0].shape == source.data.shape == (3, 4, 5)
    assert source.spacing.unit == "mm"
    assert source.spacing.origin == "NIfTI affine"
    assert source.spacing.values == pytest.approx((4.0, 1.5, 0.75))
    assert source.is_oblique
    json.dumps(dict(source.metadata), allow_nan=False)


def test_metadata_says_what_the_file_is(source):
    facts = source.metadata
    assert facts["orientation"] == "RPI"
    assert facts["value_unit"] == "HU"
    assert facts["stored_dtype"] == "int16"
    assert facts["notes"] == []
    assert 3 < facts["oblique_degrees"] < 6
    np.testing.assert_allclose(facts["affine"], source.affine)


def test_read_pads_with_the_lowest_value(source):
    block = source.read(0, Box((-1, 2, 3), (2, 6, 5)))
    assert block.shape == (3, 4, 2)
    assert block.flags.c_contiguous
    assert np.array_equal(block[1:, :2], source.data[:2, 2:4, 3:5])
    assert (block[0] == -1000).all()
    assert (block[:, 2:] == -1000).all()


def test_reading_after_close_says_so(source):
    source.close()
    with pytest.raises(MedPatchError, match="was closed"):
        source.read(0, Box((0, 0, 0), (1, 1, 1)))
    assert source.levels[0].shape == (3, 4, 5)


def test_several_volumes_need_a_choice(tmp_path):
    series = numbered((5, 4, 3, 2))
    path = write_nifti1(tmp_path / "series.nii", series, pixdim=[1, 1, 1, 1, 2.5, 0, 0, 0])
    with pytest.raises(ChoiceNeededError, match="holds 2 volumes") as caught:
        VolumeSource(path)
    assert caught.value.choices == ("volume 0 (0 s)", "volume 1 (2.5 s)")
    with pytest.raises(ChoiceNeededError, match="has no volume 2; give an index from 0 to 1"):
        VolumeSource(path, volume_index=2)
    second = VolumeSource(path, volume_index=1)
    assert np.array_equal(second.to_original(second.data), series[..., 1])
    assert second.metadata["volume_index"] == 1


def test_choice_of_a_volume_that_is_not_there(source):
    with pytest.raises(ChoiceNeededError, match="has no volume 1"):
        VolumeSource(source.path, volume_index=1)
    assert VolumeSource(source.path, volume_index=0).data.shape == (3, 4, 5)


def test_trailing_axes_of_one_are_dropped(tmp_path):
    path = write_nifti1(tmp_path / "a.nii", numbered()[..., None, None])
    source = VolumeSource(path)
    assert source.original_shape == (5, 4, 3)
    assert source.metadata["volumes"] == 1


def test_one_slice_is_a_volume(tmp_path):
    assert VolumeSource(write_nifti1(tmp_path / "a.nii", numbered((5, 4, 1)))).data.shape == (1, 4, 5)


def test_notes_count_what_was_changed(tmp_path):
    values = numbered().astype(np.float32) + 0.25
    values[0, 0, :2] = np.nan
    notes = VolumeSource(write_nifti1(tmp_path / "a.nii", values)).metadata["notes"]
    assert notes == [
        "2 voxels that were not numbers were set to the smallest value, -993.75.",
        "Values were rounded to whole HU.",
    ]


@pytest.mark.parametrize("matrix", orientations())
@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_a_point_painted_in_the_window_lands_there_in_the_exported_mask(tmp_path, matrix, tilt):
    """nibabel alone says where the painted voxel is; all 48 orientations, straight and oblique."""
    ct = write_nifti1(tmp_path / "ct.nii.gz", numbered(), affine_of(matrix, tilt=tilt))
    source = VolumeSource(ct)
    mask = np.zeros(source.data.shape, np.uint8)
    at = (source.data.shape[0] - 1, 1, source.data.shape[2] - 2)
    mask[at] = 7
    write_mask(mask, source, tmp_path / "mask.nii.gz")

    original, exported = nib.load(ct), nib.load(tmp_path / "mask.nii.gz")
    painted = np.argwhere(np.asarray(exported.dataobj) == 7)
    assert len(painted) == 1
    there = world(exported.affine, painted)[0]
    np.testing.assert_allclose(there, world(source.canonical_affine, np.array([at[::-1]]))[0], atol=1e-4)
    assert np.asarray(original.dataobj)[tuple(painted[0])] == source.data[at]
    assert exported.shape == original.shape
    assert np.array_equal(exported.affine, original.affine)


def test_real_volumes_open_with_the_values_that_nibabel_gives(real_data):
    names = sorted((real_data / "ct").glob("*.nii.gz"))
    assert len(names) >= 10
    for path in names:
        source, image = VolumeSource(path), nib.load(path)
        assert np.array_equal(source.to_original(source.data), np.asarray(image.dataobj)), path.name
        assert np.array_equal(source.affine, image.affine), path.name
        labels = any(word in path.name for word in ("lungs", "votes", "gtv", "mask", "_seg"))
        assert source.metadata["value_unit"] == ("arbitrary units" if labels else "HU"), path.name


def test_odd_files_open_or_are_refused_in_one_sentence(real_data):
    refused = {}
    paths = [*(real_data / "odd" / "nifti").iterdir(), *(real_data / "odd" / "truncated").glob("*.nii.gz")]
    for path in paths:
        try:
            source = VolumeSource(path)
        except MedPatchError as error:
            refused[path.name] = (type(error).__name__, str(error))
        else:
            image = nib.load(path)
            np.testing.assert_allclose(source.to_original(source.data), np.asarray(image.dataobj), rtol=1e-6)
    assert {name: kind for name, (kind, _) in refused.items()} == {
        "functional.nii": "ChoiceNeededError",
        "nifti1.hdr": "DamagedFileError",
        "CIP_ct-64_first50percent.nii.gz": "DamagedFileError",
        "empty.nii.gz": "DamagedFileError",
    }
    assert all(text.endswith(".") and "\n" not in text and len(text) < 300 for _, text in refused.values())
