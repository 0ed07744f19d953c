"""The real series shuffled, gapped, mixed and truncated: the right volume or one sentence, on the command line too."""

import json
import random
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from napari_medpatch.cli.main import main
from napari_medpatch.errors import ChoiceNeededError, DamagedFileError
from napari_medpatch.io.detect import open_source


@pytest.fixture
def whole(real_data: Path) -> Path:
    return real_data / "ct" / "LIDC-IDRI-0001_dicom_16slices"


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "scan"))


def slices(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dcm"))


def test_shuffled_names_and_numbers(whole: Path, copy: Path) -> None:
    names = [f"IM{n:06}" for n in range(16)]
    random.Random(2).shuffle(names)
    for path, name in zip(slices(copy), names, strict=True):
        dataset = pydicom.dcmread(path)
        dataset.InstanceNumber = int(name[2:]) + 1
        dataset.save_as(copy / name)
        path.unlink()
    source, same = open_source(copy), open_source(whole)
    assert np.array_equal(source.data, same.data)
    np.testing.assert_array_equal(source.affine, same.affine)


def test_gapped(whole: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (slices(copy)[4], slices(copy)[9]):
        path.unlink()
    source, same = open_source(copy), open_source(whole)
    there = [n for n in range(16) if n not in (4, 9)]
    assert source.metadata["missing_slices"] == [4, 9]
    assert np.array_equal(source.data[there], same.data[there])
    np.testing.assert_array_equal(source.affine, same.affine)
    assert main(["export", str(copy), "-o", str(copy.parent / "gapped.nii.gz"), "--quiet"]) == 0
    assert nib.load(copy.parent / "gapped.nii.gz").shape == (512, 512, 16)
    assert main(["info", str(copy)]) == 0
    assert "note: 2 slices are missing of 16 and were interpolated" in capsys.readouterr().out


def test_mixed_with_another_series(real_data: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(real_data / "odd" / "dicom" / "ct_image.dcm", copy)
    with pytest.raises(ChoiceNeededError, match="holds 2 series"):
        open_source(copy)
    assert main(["info", str(copy)]) == 2
    sentence, *listed = capsys.readouterr().err.splitlines()
    assert "holds 2 series; say which one, from 0 to 1 (--volume-index N)." in sentence
    assert listed == [
        "  0  series 1: no description, 1 slice, CT",
        "  1  series 3000566: no description, 16 slices, CT",
    ]
    assert main(["info", str(copy), "--volume-index", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shape"] == [16, 512, 512]
    assert open_source(copy / "000003.dcm").data.shape == (16, 512, 512)


def test_truncated(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = slices(copy)[7]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DamagedFileError, match=rf"{path.name} is damaged"):
        open_source(copy)
    assert main(["segment", str(copy), "-m", "lungs-ct-unet3d", "-o", str(copy.parent / "m.nii.gz"), "--quiet"]) == 2
    said = capsys.readouterr().err.strip()
    assert path.name in said
    assert "\n" not in said
    assert not (copy.parent / "m.nii.gz").exists()


def test_a_command_says_what_was_noted(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slices(copy)[4].unlink()
    out = copy.parent / "m.nii.gz"
    assert main(["segment", str(copy), "-m", "lungs-threshold", "-o", str(out), "--quiet"]) == 0
    assert "scan: 1 slice is missing of 16" in capsys.readouterr().err
    assert nib.load(out).shape == (512, 512, 16)
