"""Bad input on the command line: one sentence, the right exit code, nothing half-written."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_medpatch.cli import main
from napari_medpatch.models.registry import SHIPPED

LUNGS = "lungs-ct-unet3d"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A small CT-like volume."""
    rng = np.random.default_rng(0)
    data = rng.normal(-400, 300, (40, 36, 24)).astype(np.int16)
    path = tmp_path / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(data, np.diag([-2.0, -2.0, 3.0, 1.0])), path)
    return path


def _sentence(capsys: pytest.CaptureFixture[str]) -> str:
    shown = capsys.readouterr()
    lines = shown.err.strip().splitlines()
    assert len(lines) == 1, shown.err
    assert "Traceback" not in shown.err
    return lines[0]


def test_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "nowhere.svs"]) == 2
    assert "nowhere.svs" in _sentence(capsys)


def test_folder_without_dicom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path)]) == 2
    assert "DICOM" in _sentence(capsys)


def test_4d_volume_asks_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "series.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 8, 3), np.int16), np.eye(4)), path)
    assert main(["segment", str(path), "-m", LUNGS, "-o", str(tmp_path / "m.nii"), "--quiet"]) == 2
    sentence, *choices = capsys.readouterr().err.splitlines()
    assert "--volume-index" in sentence
    assert choices == ["  0  volume 0", "  1  volume 1", "  2  volume 2"]
    assert not (tmp_path / "m.nii").exists()


def test_unknown_model(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", str(volume), "-m", "lungz", "-o", str(tmp_path / "m.nii.gz"), "--quiet"]) == 2
    assert LUNGS in _sentence(capsys)


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_bundle_with_bad_weights(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(SHIPPED / LUNGS, bundle)
    weights = bundle / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    else:
        content = bytearray(weights.read_bytes())
        content[-100] ^= 0xFF
        weights.write_bytes(content)
    assert main(["segment", str(volume), "-m", str(bundle), "-o", str(tmp_path / "m.nii.gz"), "--quiet"]) == 2
    assert "weights" in _sentence(capsys) or damage == "missing"


def test_unknown_output_format_is_refused_before_any_work(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(volume), "-m", LUNGS, "-o", str(tmp_path / "mask.docx"), "--quiet"]) == 2
    assert ".nii.gz" in _sentence(capsys)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert main(["segment", str(volume), "-m", LUNGS, "-o", str(closed / "m.nii.gz"), "--quiet"]) == 2
    assert "permission" in _sentence(capsys)


def test_a_file_where_the_folder_should_be(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results").write_text("in the way")
    assert main(["segment", str(volume), "-m", LUNGS, "-o", str(tmp_path / "results" / "m.nii.gz"), "--quiet"]) == 2
    assert "in the way" in _sentence(capsys)


def test_full_disk_leaves_the_old_mask(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "m.nii.gz"
    output.write_bytes(b"yesterday's")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_medpatch.io.atomic.os.replace", full)
    assert main(["segment", str(volume), "-m", LUNGS, "-o", str(output), "--quiet"]) == 2
    assert "disk is full" in _sentence(capsys)
    assert output.read_bytes() == b"yesterday's"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".tmp")] == []


@pytest.mark.parametrize(("value", "word"), [(0, "Nothing is painted"), (1, "background"), (2, "background")])
def test_labels_that_teach_nothing(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], value: int, word: str
) -> None:
    labels = np.zeros((40, 36, 24), np.uint8)
    labels[:, :, 12] = value
    path = tmp_path / "labels.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, nibabel.load(volume).affine), path)
    assert main(["finetune", str(volume), str(path), "-o", str(tmp_path / "model"), "--quiet"]) == 2
    assert word in _sentence(capsys)
    assert not (tmp_path / "model").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_exits_with_130(volume: Path, tmp_path: Path) -> None:
    labels = np.zeros((40, 36, 24), np.uint8)
    labels[:20, :, 12], labels[20:, :, 12] = 1, 2
    path = tmp_path / "labels.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, nibabel.load(volume).affine), path)
    command = [sys.executable, "-m", "napari_medpatch", "finetune", str(volume), str(path), "--seconds", "120"]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "model")], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    time.sleep(12)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, shown = process.communicate(timeout=30)
    assert process.returncode == 130, shown
    assert "Traceback" not in shown
    assert "stopped" in shown
    assert time.monotonic() - began < 10


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_inside_made_up_code_exits_with_130_too(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(
        "import sys\n"
        "from argparse import Namespace\n"
        "from napari_medpatch.cli import main\n"
        "command = Namespace(run=lambda _: exec('raise KeyboardInterrupt'), debug=False)\n"
        "sys.exit(sys.modules['napari_medpatch.cli.main']._guarded(command))\n"
    )
    done = subprocess.run([sys.executable, "-m", "probe"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert "stopped" in done.stderr
