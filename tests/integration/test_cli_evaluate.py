"""evaluate on real volumes through the command line."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_medpatch.cli import main


@pytest.fixture
def lungs(real_data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The published lungs of a CT, and the same moved up by a slice, with a blob in the abdomen."""
    truth = real_data / "ct" / "CIP_10002K_lungs-64.nii.gz"
    image = nib.load(truth)
    moved = np.roll(np.asarray(image.dataobj), 1, axis=2)
    moved[28:32, 28:32, 2:4] = 1
    nib.save(nib.Nifti1Image(moved, image.affine), tmp_path / "moved.nii.gz")
    return tmp_path / "moved.nii.gz", truth


def test_moved_lungs_are_a_slice_apart(lungs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", *map(str, lungs), "--json", "--quiet", "--tolerance", "4"]) == 0
    record = json.loads(capsys.readouterr().out)
    left, right = record["classes"]["1"], record["classes"]["2"]
    assert right["hd_mm"] == pytest.approx(3.987, abs=0.01)
    assert right["surface_dice"] == 1.0
    assert right["difference_ml"] == 0.0
    assert left["hd_mm"] > 50 > left["hd95_mm"]
    assert (left["objects_detected"], left["objects_false_positive"]) == (1, 1)
    assert left["difference_ml"] == pytest.approx(32 * 4.1719**2 * 3.9873 / 1000, rel=1e-3)
    stray = next(each for each in record["objects"] if each["status"] == "false positive")
    assert (stray["z"], stray["y"], stray["x"]) == (2.5, 29.5, 29.5)
    assert record["settings"]["tolerance"] == 4.0


def test_report_of_moved_lungs(lungs: tuple[Path, Path], real_data: Path, tmp_path: Path) -> None:
    image = real_data / "ct" / "CIP_10002K_ct-64.nii.gz"
    out = tmp_path / "report"
    assert main(["evaluate", *map(str, lungs), "--image", str(image), "--report", str(out), "--quiet"]) == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 18
    assert "CIP_10002K_ct-64.nii.gz" in page
    assert sorted(path.name for path in out.iterdir()) == [
        "classes.csv", "evaluation.json", "objects.csv", "report.html", "slices.csv",
    ]  # fmt: skip


def test_volumes_of_the_lungs(lungs: tuple[Path, Path], real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = real_data / "ct" / "CIP_10002K_ct-64.nii.gz"
    assert main(["evaluate", str(lungs[1]), "--image", str(image), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "Volume (ml) 2135.1" in shown
    assert "Mean (HU) -874.3" in shown


def test_nodules_are_counted(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = nib.load(real_data / "ct" / "LIDC-IDRI-0001_nodule_votes_256.nii.gz")
    votes = np.asarray(image.dataobj)
    for name, least in (("any", 1), ("most", 3)):
        nib.save(nib.Nifti1Image((votes >= least).astype(np.uint8), image.affine), tmp_path / f"{name}.nii.gz")
    pair = [str(tmp_path / f"{name}.nii.gz") for name in ("any", "most")]
    assert main(["evaluate", *pair, "--json", "--quiet", "--connectivity", "full"]) == 0
    record = json.loads(capsys.readouterr().out)
    found = record["classes"]["1"]
    assert found["objects_detected"] >= 1
    assert found["objects_missed"] == 0
    assert found["sensitivity"] == 1.0
    assert found["precision"] < 1.0


def test_many_classes_of_another_machine(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = str(real_data / "ct" / "totalseg_example_seg.nii.gz")
    assert main(["evaluate", labels, labels, "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert len(record["classes"]) > 30
    assert all(scores["dice"] == scores["surface_dice"] == 1.0 for scores in record["classes"].values())


@pytest.mark.slow
def test_the_lung_model_against_the_derived_lungs(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mask = real_data / "ct", tmp_path / "lungs.nii.gz"
    volume = folder / "LIDC-IDRI-0001_ct_256.nii.gz"
    assert main(["segment", str(volume), "--model", "lungs-ct-unet3d", "-o", str(mask), "--quiet"]) == 0
    capsys.readouterr()
    truth = folder / "LIDC-IDRI-0001_lungs_derived_256.nii.gz"
    assert main(["evaluate", str(mask), str(truth), "--json", "--quiet"]) == 0
    scores = json.loads(capsys.readouterr().out)["classes"]["1"]
    assert scores["name"] == "lung"
    assert scores["dice"] > 0.95
    assert scores["assd_mm"] < 3
    assert abs(scores["difference_percent"]) < 8


def test_bad_input_is_one_sentence(
    lungs: tuple[Path, Path], real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved, truth = map(str, lungs)
    odd = real_data / "odd" / "truncated"
    (tmp_path / "scores.csv").write_text("a,b\n1,2\n")
    wrong = (
        ([moved, str(real_data / "ct" / "STS_001_ct_mask.nii.gz")], "64 × 64 × 79"),
        ([str(odd / "CIP_ct-64_first50percent.nii.gz"), truth], "damaged"),
        ([str(odd / "empty.nii.gz"), truth], "empty"),
        ([str(tmp_path / "scores.csv"), truth], "compares masks"),
        ([moved, str(tmp_path / "nothing.nii.gz")], "does not exist"),
        ([moved, truth, "--tolerance", "-1"], "impossible"),
        ([moved, truth, "--image", str(real_data / "fundus" / "chasedb1" / "Image_01L.jpg")], "photo"),
        ([str(real_data / "ct" / "CIP_10002K_ct-64.nii.gz"), truth], "labels are whole numbers"),
    )
    for arguments, words in wrong:
        assert main(["evaluate", *arguments, "--quiet"]) == 2, arguments
        said = capsys.readouterr().err.strip()
        assert len(said.splitlines()) == 1, said
        assert words in said


def test_a_report_that_cannot_be_written_is_one_sentence(
    lungs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["evaluate", *map(str, lungs), "--report", str(tmp_path / "file"), "--quiet"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert (tmp_path / "file").read_text() == "in the way"
