import nibabel as nib
import numpy as np
import pytest
from volume_cases import SHAPE, affine_of, numbered, orientations, write_nifti1

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.volume import VolumeSource

AFFINE = affine_of(np.diag([-1.0, -1, 1]), tilt=0.7)


@pytest.fixture
def source(tmp_path):
    return VolumeSource(write_nifti1(tmp_path / "ct.nii.gz", numbered(), AFFINE))


@pytest.fixture
def painted():
    return np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8)


def save(path, labels, affine=AFFINE):
    nib.Nifti1Image(labels, affine).to_filename(path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_labels_of_the_same_file_grid(tmp_path, source, painted, dtype):
    labels = read_labels(save(tmp_path / "l.nii.gz", painted.astype(dtype)), source)
    assert labels.dtype == np.uint8
    assert np.array_equal(source.to_original(labels), painted)


@pytest.mark.parametrize("matrix", orientations())
def test_labels_saved_in_any_other_orientation_of_the_grid(tmp_path, source, painted, matrix):
    """nibabel reorients the labels; even at 40 degrees, where the closest axes are nearly a toss-up."""
    codes = nib.orientations.io_orientation(np.vstack([np.hstack([matrix, np.zeros((3, 1))]), [0, 0, 0, 1]]))
    image = nib.Nifti1Image(painted, AFFINE).as_reoriented(codes)
    image.to_filename(tmp_path / "l.nii.gz")
    assert np.array_equal(source.to_original(read_labels(tmp_path / "l.nii.gz", source)), painted)


def test_rounding_of_the_affine_does_not_matter(tmp_path, source, painted):
    moved = AFFINE.copy()
    moved[:3, 3] += 0.05
    moved[:3, :3] *= 1 + 1e-5
    assert np.array_equal(source.to_original(read_labels(save(tmp_path / "l.nii", painted, moved), source)), painted)


def test_labels_without_position_lie_as_the_file(tmp_path, source, painted):
    path = write_nifti1(tmp_path / "l.nii", painted, sform_code=0, qform_code=0)
    assert np.array_equal(source.to_original(read_labels(path, source)), painted)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a: a + np.array([0, 0, 0, 3.0] * 3 + [0.0] * 4).reshape(4, 4), "voxels apart"),
        (lambda a: a @ np.diag([2.0, 1, 1, 1]), "of another direction or voxel size"),
        (lambda a: affine_of(np.diag([-1.0, -1, 1])), "of another direction or voxel size"),
    ],
)
def test_other_grids_are_refused_with_both_sizes(tmp_path, source, painted, change, sentence):
    with pytest.raises(GeometryError, match=sentence) as caught:
        read_labels(save(tmp_path / "l.nii", painted, change(AFFINE)), source)
    assert "5 × 4 × 3" in str(caught.value)
    assert "0.75 × 1.5 × 4 mm" in str(caught.value)


def test_other_shapes_are_refused(tmp_path, source, painted):
    with pytest.raises(GeometryError, match=r"4 × 4 × 3.* and .*5 × 4 × 3.* have other shapes"):
        read_labels(save(tmp_path / "l.nii", painted[:4]), source)


def test_values_and_volumes_are_checked(tmp_path, source, painted):
    with pytest.raises(LabelsError, match="values from 0 to 900"):
        read_labels(save(tmp_path / "l.nii", painted.astype(np.int16) * 300), source)
    with pytest.raises(LabelsError, match=r"value [01]\.5"):
        read_labels(save(tmp_path / "l.nii", painted.astype(np.float32) / 2), source)
    with pytest.raises(LabelsError, match="holds 2 volumes"):
        read_labels(save(tmp_path / "l.nii", np.stack([painted, painted], axis=3)), source)


def test_plain_array_takes_labels_by_shape(tmp_path, painted):
    source = ArraySource(np.zeros((3, 4, 5), np.int16), "volume")
    lps = np.diag([-2.0, -2, 3, 1])
    assert np.array_equal(read_labels(save(tmp_path / "l.nii", painted, lps), source), painted.T)
    with pytest.raises(GeometryError, match="other shapes"):
        read_labels(save(tmp_path / "l.nii", painted[:, :, :2], lps), source)


def test_real_labels_fit_their_volumes(real_data):
    pairs = [
        ("CIP_10002K_ct-64", "CIP_10002K_lungs-64", 2),
        ("IBSI_ct_phantom", "IBSI_ct_phantom_gtv", 1),
        ("LIDC-IDRI-0001_ct_256", "LIDC-IDRI-0001_nodule_votes_256", 4),
        ("totalseg_example_ct_sm", "totalseg_example_seg", 117),
    ]
    for image, labels, largest in pairs:
        source = VolumeSource(real_data / "ct" / f"{image}.nii.gz")
        found = read_labels(real_data / "ct" / f"{labels}.nii.gz", source)
        assert found.shape == source.data.shape
        assert found.max() == largest


def test_labels_of_another_patient_are_refused(real_data):
    source = VolumeSource(real_data / "ct" / "IBSI_ct_phantom.nii.gz")
    with pytest.raises(GeometryError, match="must be painted on this image"):
        read_labels(real_data / "ct" / "STS_001_ct_mask.nii.gz", source)
