"""A file never replaces a folder, nor a folder a file, nor a model anything else: told before the work, not after."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from napari_medpatch.cli import main

NO_JOB = {
    "segment": "napari_medpatch.infer.segment.segment",
    "interpolate": "napari_medpatch.annotate.interpolate.interpolate",
    "finetune": "napari_medpatch.train.fine_tune_run.FineTuneRun",
}


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder with a scan, a mask and labels."""
    folder = tmp_path / "given"
    folder.mkdir()
    hu = np.full((24, 20, 12), 40, np.int16)
    hu[4:12, 5:15, 3:9] = -800
    labels = np.zeros(hu.shape, np.uint8)
    labels[..., 2::4] = np.where(hu[..., 2::4] < 0, 2, 1)
    for stem, values in {"ct": hu, "mask": (hu < 0).astype(np.uint8), "labels": labels}.items():
        nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2, 3, 1])), folder / f"{stem}.nii.gz")
    return folder


def words(given: Path, job: str, output: Path) -> list[str]:
    ct, mask, labels = (str(given / f"{name}.nii.gz") for name in ("ct", "mask", "labels"))
    commands = {
        "segment": ["segment", ct, "-m", "lungs-threshold", "-o", str(output)],
        "interpolate": ["interpolate", ct, labels, "-o", str(output)],
        "finetune": ["finetune", ct, labels, "-o", str(output), "--steps", "1"],
        "predict": ["finetune", ct, labels, "-o", str(given.parent / "m"), "--steps", "1", "--predict", str(output)],
        "clean": ["clean", mask, "-o", str(output), "--step", "largest:1"],
        "evaluate": ["evaluate", mask, mask, "--report", str(output)],
        "export": ["export", mask, "-o", str(output)],
    }
    return [*commands[job], "--quiet"]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    return said.splitlines()[-1]


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail loudly where a job begins in spite of it all."""

    def begun(*_: Any, **__: Any) -> Any:
        raise AssertionError("the work began")

    for name in NO_JOB.values():
        monkeypatch.setattr(name, begun)


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("job", ["segment", "interpolate", "predict", "clean", "export"])
@pytest.mark.parametrize("name", ["folder.nii.gz", "folder.nrrd"])
def test_a_folder_with_the_name_of_a_mask_is_in_the_way(
    given: Path, job: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = given.parent / name
    place.mkdir()
    (place / "kept.txt").write_text("kept")
    assert "a file or folder of that name is in the way" in refused(words(given, job, place), capsys)
    assert (place / "kept.txt").read_text() == "kept"


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("job", ["segment", "interpolate", "finetune", "clean", "export"])
def test_a_file_with_the_name_of_a_folder_is_in_the_way(
    given: Path, job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = given.parent / "notes"
    place.write_text("kept")
    assert "is in the way" in refused(words(given, job, place), capsys)
    assert place.read_text() == "kept"


@pytest.mark.usefixtures("idle")
def test_a_model_never_replaces_a_folder_of_other_files(given: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in given.iterdir()}
    assert "holds other files than a model's" in refused(words(given, "finetune", given), capsys)
    assert {path.name: path.read_bytes() for path in given.iterdir()} == before


@pytest.mark.parametrize("job", ["segment", "interpolate", "predict", "clean", "evaluate", "export", "finetune"])
def test_nothing_is_written_below_a_file(given: Path, job: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = given / "mask.nii.gz"
    before = place.read_bytes()
    assert "is in the way" in refused(words(given, job, place / "new.nii.gz"), capsys)
    assert place.read_bytes() == before


def test_a_report_does_not_replace_a_folder(given: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (given.parent / "report" / "report.html").mkdir(parents=True)
    assert "is in the way" in refused(words(given, "evaluate", given.parent / "report"), capsys)


@pytest.mark.parametrize("job", ["clean", "interpolate", "export", "evaluate"])
def test_folders_that_are_not_there_are_made(given: Path, job: str) -> None:
    place = given.parent / "new" / "deep" / "m.nii.gz"
    assert main(words(given, job, place)) == 0
    assert place.exists()


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("job", ["segment", "interpolate", "predict", "clean", "export"])
@pytest.mark.parametrize("by_way_of", ["", "../given", "link"])
def test_what_was_given_is_never_the_output(
    given: Path, job: str, by_way_of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in given.iterdir()}
    name = "mask.nii.gz" if job in ("clean", "export") else "ct.nii.gz"
    place = given / by_way_of / name
    if by_way_of == "link":
        place = given.parent / "link.nii.gz"
        place.symlink_to(given / name)
    assert "itself" in refused(words(given, job, place), capsys)
    assert {path.name: path.read_bytes() for path in given.iterdir()} == before
