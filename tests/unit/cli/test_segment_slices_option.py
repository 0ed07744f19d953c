import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from foreign_folders import Darkness, write_folder

from napari_medpatch.cli import main


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    hu = np.full((12, 14, 16), 40, np.int16)
    hu[3:8, 4:9, 5:12] = -1000
    nibabel.save(nibabel.Nifti1Image(hu, np.diag([1.0, 1.0, 2.0, 1.0])), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


@pytest.mark.parametrize(
    ("given", "recorded"), [([], 2), (["--axis", "coronal"], 1), (["--axis", "0"], 0), (["--axis", "all"], "all")]
)
def test_slices_are_chosen_by_name_or_by_the_model(
    tmp_path: Path, ct: Path, capsys: pytest.CaptureFixture[str], given: list[str], recorded: object
) -> None:
    folder = write_folder(tmp_path / "dark", Darkness(ndim=2), task="segment-2d", slice_axis=2, network={})
    output = tmp_path / "mask.nii.gz"
    arguments = ["segment", str(ct), "-m", str(folder), "-o", str(output), "--device", "cpu", "--json", "--quiet"]
    assert main([*arguments, *given]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["slice_axis"] == recorded
    assert record["tiling"] == "windows"
    assert len(record["weights_sha256"]) == 64
    found = np.asarray(nibabel.load(output).dataobj) > 0
    np.testing.assert_array_equal(found, np.asarray(nibabel.load(ct).dataobj) < 0)
    assert not list(tmp_path.glob("*.parts"))


def test_an_unknown_axis_is_refused(tmp_path: Path, ct: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["segment", str(ct), "-m", "x", "-o", str(tmp_path / "m.nii.gz"), "--axis", "oblique"])
    assert "'oblique' is none of axial, coronal" in capsys.readouterr().err


def test_models_lists_a_network_from_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    from napari_medpatch.models.registry import user_models_folder

    write_folder(user_models_folder() / "dark", Darkness())
    assert main(["models"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("dark"))
    assert "segment-3d" in line
    assert "background, dark" in line
    assert main(["models", "--json"]) == 0
    row = next(row for row in json.loads(capsys.readouterr().out) if row["name"] == "dark")
    assert row["architecture"] == "torchscript"
