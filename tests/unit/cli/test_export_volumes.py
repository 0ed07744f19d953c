"""``napari-medpatch export`` of volumes and their masks."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its own documentation's habit
from PIL import Image

from napari_medpatch.cli import main
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask

AFFINE = np.array([[0, -1.5, 0.4, 5], [0.7, 0, 0, -8], [0, 0.2, 3, 11], [0, 0, 0, 1.0]])


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(-1000, 900, (8, 7, 6)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, AFFINE), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    source = ArraySource(np.zeros((6, 7, 8), np.int16), "volume", affine=AFFINE)
    values = np.zeros((6, 7, 8), np.uint8)
    values[1:4, 1:5, 1:4], values[4:6, 5:7, 5:8] = 1, 2
    return write_mask(values, source, tmp_path / "mask.nii.gz", class_names=("left lung", "heart"))


def export(capsys, *arguments: object) -> tuple[int, list[str], str]:
    code = main(["export", *(str(a) for a in arguments), "--quiet"])
    shown = capsys.readouterr()
    return code, shown.out.splitlines(), shown.err.strip()


@pytest.mark.parametrize("name", ["out.nrrd", "out.mha"])
def test_a_volume_for_itk(ct, tmp_path, capsys, name):
    assert export(capsys, ct, "-o", tmp_path / name) == (0, [f"wrote {tmp_path / name}"], "")
    image = sitk.ReadImage(str(tmp_path / name))
    assert np.array_equal(sitk.GetArrayFromImage(image).T, np.asarray(nib.load(ct).dataobj))
    place = np.array(image.TransformIndexToPhysicalPoint((1, 2, 3))) * (-1, -1, 1)
    np.testing.assert_allclose(place, (AFFINE @ [1, 2, 3, 1])[:3], atol=1e-5)


def test_a_mask_as_meshes_and_slices(mask, tmp_path, capsys):
    code, lines, _ = export(capsys, mask, "-o", tmp_path / "m.stl", "--smooth", "0", "--mesh-space", "ras")
    assert (code, lines) == (0, [f"wrote {tmp_path / name}" for name in ("m-left_lung.stl", "m-heart.stl")])
    code, lines, _ = export(capsys, mask, "-o", f"{tmp_path / 'slices'}/", "--coloured")
    assert (code, lines) == (0, [f"wrote {tmp_path / 'slices'}"])
    with Image.open(tmp_path / "slices" / "slice-0002.png") as picture:
        assert picture.mode == "P"
    assert export(capsys, tmp_path / "slices", "-o", tmp_path / "back.nrrd", "--like", mask)[0] == 0
    back = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "back.nrrd"))).T
    assert np.array_equal(back, np.asarray(nib.load(mask).dataobj))


def test_a_file_per_class(mask, tmp_path, capsys):
    code, lines, _ = export(capsys, mask, "-o", tmp_path / "m.nii.gz", "--per-class")
    assert (code, lines) == (0, [f"wrote {tmp_path / name}" for name in ("m-left_lung.nii.gz", "m-heart.nii.gz")])
    values = np.asarray(nib.load(tmp_path / "m-heart.nii.gz").dataobj)
    assert np.array_equal(values, np.asarray(nib.load(mask).dataobj) == 2)


def test_windowed_coronal_slices(ct, tmp_path, capsys):
    assert export(capsys, ct, "-o", tmp_path / "s", "--window", "-1000,900", "--slice-axis", "coronal")[0] == 0
    names = sorted(path.name for path in (tmp_path / "s").glob("*.png"))
    with Image.open(tmp_path / "s" / names[0]) as picture:
        assert picture.mode == "L"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{ct}", "-o", "a.stl"], "labels are whole numbers from 0 to 255"),
        (["{mask}", "-o", "a.dcm"], "--like SERIES_FOLDER"),
        (["{mask}", "-o", "a.dcm", "--like", "{ct}"], "ct.nii.gz is NIfTI-1"),
        (["{ct}", "-o", "a.obj"], "meshes are written as .stl or .ply"),
        (["{ct}", "-o", "s", "--window", "chest"], "'chest' is no window"),
        (["{mask}", "-o", "a.stl", "--smooth", "900"], "0 to 200"),
        (["{ct}", "-o", "{folder}"], "a folder with other files"),
    ],
)
def test_what_cannot_be_is_one_sentence(ct, mask, tmp_path, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    code, lines, said = export(capsys, *(a.format(ct=ct, mask=mask, folder=tmp_path) for a in arguments))
    assert (code, lines, len(said.splitlines())) == (2, [], 1)
    assert sentence in said
    assert sorted(tmp_path.iterdir()) == before


def test_a_dicom_series_and_its_mask(tmp_path, capsys, real_data):
    folder = real_data / "ct" / "LIDC-IDRI-0001_dicom_16slices"
    assert export(capsys, folder, "-o", tmp_path / "series.nii.gz")[0] == 0
    volume = nib.load(tmp_path / "series.nii.gz")
    values = np.asarray(volume.dataobj)
    for path in sorted(folder.glob("*.dcm"))[:3]:
        dataset = pydicom.dcmread(path)
        place = np.asarray(dataset.ImagePositionPatient, float) * (-1, -1, 1)
        i, j, k = np.rint(np.linalg.solve(volume.affine, [*place, 1])[:3]).astype(int)
        hounsfield = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert (i, j) == (0, 0)
        assert np.array_equal(values[:, :, k].T, hounsfield)
    assert volume.header.get_xyzt_units()[0] == "mm"
    assert (int(volume.header["sform_code"]), int(volume.header["qform_code"])) == (1, 1)
    np.testing.assert_allclose(volume.header.get_qform(), volume.header.get_sform(), atol=1e-4)
    nib.save(nib.Nifti1Image((values < -400).astype(np.uint8), volume.affine), tmp_path / "air.nii.gz")
    assert export(capsys, tmp_path / "air.nii.gz", "-o", tmp_path / "air.dcm", "--like", folder)[0] == 0
    assert export(capsys, tmp_path / "air.dcm", "-o", tmp_path / "again.nii.gz", "--like", folder)[0] == 0
    again = nib.load(tmp_path / "again.nii.gz")
    assert np.array_equal(np.asarray(again.dataobj), values < -400)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-5)


def test_what_was_changed_on_opening_is_said(tmp_path, capsys):
    values = np.full((5, 4, 3), -900, np.float32)
    values[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(values, AFFINE), tmp_path / "ct.nii.gz")
    code, _, said = export(capsys, tmp_path / "ct.nii.gz", "-o", tmp_path / "out.nii.gz")
    assert code == 0
    assert "ct.nii.gz: 1 voxel" in said
    assert "set to the smallest value, -900" in said
