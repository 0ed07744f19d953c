"""segment and finetune on real volumes through the command line."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_medpatch.cli import main

LUNGS = "lungs-ct-unet3d"


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.slow
def test_lungs_of_lidc(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume = real_data / "ct" / "LIDC-IDRI-0001_ct_256.nii.gz"
    output = tmp_path / "lungs.nii.gz"
    code = main(["segment", str(volume), "--model", LUNGS, "-o", str(output), "--json", "--quiet"])
    assert code == 0
    record = json.loads(capsys.readouterr().out)
    assert 2000 < record["classes"]["lung"]["ml"] < 8000
    mask, image = nibabel.load(output), nibabel.load(volume)
    assert mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, image.affine, atol=1e-6)
    truth = np.asarray(nibabel.load(real_data / "ct" / "LIDC-IDRI-0001_lungs_derived_256.nii.gz").dataobj) > 0
    assert _iou(np.asarray(mask.dataobj) > 0, truth) >= 0.90


@pytest.mark.slow
def test_three_slices_teach_the_lungs(real_data: Path, tmp_path: Path) -> None:
    image = nibabel.load(real_data / "ct" / "CIP_10002K_ct-64.nii.gz")
    truth = np.asarray(nibabel.load(real_data / "ct" / "CIP_10002K_lungs-64.nii.gz").dataobj) > 0
    labels = np.zeros(truth.shape, np.uint8)
    for z in (20, 38, 56):
        labels[:, :, z] = truth[:, :, z] + 1
    painted, mask = tmp_path / "painted.nii.gz", tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, image.affine), painted)
    arguments = [str(real_data / "ct" / "CIP_10002K_ct-64.nii.gz"), str(painted), "--seconds", "20"]
    code = main(["finetune", *arguments, "-o", str(tmp_path / "model"), "--predict", str(mask), "--quiet"])
    assert code == 0
    predicted = np.asarray(nibabel.load(mask).dataobj) > 0
    rest = labels == 0
    assert _iou(predicted & rest, truth & rest) >= 0.80
    assert main(["segment", arguments[0], "--model", str(tmp_path / "model"), "-o", str(mask), "--quiet"]) == 0
    # How good the network alone is after 20 s depends on the machine; that its bundle runs does not.
    again = nibabel.load(mask)
    assert again.shape == truth.shape
    assert set(np.unique(np.asarray(again.dataobj))) <= {0, 1}


def test_photograph_is_refused_by_the_ct_model(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = real_data / "fundus" / "chasedb1" / "Image_01L.jpg"
    assert main(["segment", str(photo), "--model", LUNGS, "-o", str(tmp_path / "m.png"), "--quiet"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "m.png").exists()


def test_labels_of_another_shape_are_refused(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volume = real_data / "ct" / "CIP_10002K_ct-64.nii.gz"
    labels = real_data / "ct" / "STS_001_ct_mask.nii.gz"
    code = main(["finetune", str(volume), str(labels), "-o", str(tmp_path / "model"), "--quiet"])
    shown = capsys.readouterr().err
    assert code == 2
    assert "198" in shown
    assert "64" in shown
    assert not (tmp_path / "model").exists()
