"""Outputs that would replace each other, or the labels, are refused before any work."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_medpatch.cli import main


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    ones = np.ones((6, 7, 8), np.uint8)
    for name, values in (("ct", np.full((6, 7, 8), -1000, np.int16)), ("labels", ones), ("origins", ones)):
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / f"{name}.nii.gz")
    monkeypatch.chdir(tmp_path)
    return {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("segment ct.nii.gz -m lungs-threshold -o m.nii.gz --uncertainty ./m.nii.gz", "name them apart"),
        ("segment ct.nii.gz -m lungs-threshold -o ct.nii.gz", "it is the image itself"),
        ("interpolate ct.nii.gz labels.nii.gz -o labels.nii.gz", "it holds the labels"),
        ("interpolate ct.nii.gz labels.nii.gz -o f.nii.gz --origins f.nii.gz", "name them apart"),
        ("finetune ct.nii.gz labels.nii.gz -o model --predict labels.nii.gz", "it holds the labels"),
        (
            "finetune ct.nii.gz labels.nii.gz -o model --origins origins.nii.gz --predict origins.nii.gz",
            "it holds the labels",
        ),
    ],
)
def test_nothing_is_replaced(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str], command: str, reason: str
) -> None:
    assert main([*command.split(), "--quiet"]) == 2
    assert reason in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
