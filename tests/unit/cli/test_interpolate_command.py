"""``napari-medpatch interpolate``: the same as from Python, in files that others read."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_medpatch.annotate.accept import accept
from napari_medpatch.annotate.interpolate import InterpolateSettings, interpolate
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.cli.main import main
from napari_medpatch.events import run
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.labels_file import read_labels

# Axes L, A, S: nothing lies as the window shows it.
AFFINE = np.array([[-1.5, 0, 0, 30], [0, 1.5, 0, -20], [0, 0, 3, 7], [0, 0, 0, 1.0]])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A CT with a bright cone, and every sixth slice of it as labels."""
    x, y, z = np.indices((40, 44, 13))
    cone = (x - 20) ** 2 + (y - 22) ** 2 < (5 + 0.6 * z) ** 2
    noise = np.random.default_rng(0).normal(0, 15, cone.shape)
    labels = np.zeros(cone.shape, np.uint8)
    labels[:, :, ::6] = cone[:, :, ::6] + 1
    for name, values in (("ct", (np.where(cone, 60, -90) + noise).astype(np.int16)), ("labels", labels)):
        nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / f"{name}.nii.gz")
    return tmp_path / "ct.nii.gz", tmp_path / "labels.nii.gz"


@pytest.mark.parametrize("method", ["shape", "walker"])
def test_the_files_hold_what_python_returns(files: tuple[Path, Path], tmp_path: Path, method: str) -> None:
    ct, labels = files
    out, where = tmp_path / "filled.nii.gz", tmp_path / "origins.nii.gz"
    arguments = ["interpolate", str(ct), str(labels), "-o", str(out), "--origins", str(where)]
    assert main([*arguments, "--method", method, "--classes", "tumour", "--quiet"]) == 0
    source = open_source(ct)
    given = SparseLabels(read_labels(labels, source), ("background", "tumour"))
    result = run(interpolate(source, given, InterpolateSettings(method=method)))
    expected = accept(given, result.labels)
    np.testing.assert_array_equal(read_labels(out, source), expected.labels)
    np.testing.assert_array_equal(read_labels(where, source), expected.origins)
    np.testing.assert_array_equal(nibabel.load(out).affine, AFFINE)
    assert result.axis == 0


def test_it_says_what_it_did(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["interpolate", *map(str, files), "-o", str(tmp_path / "out.nii.gz"), "--quiet"]
    assert main([*arguments, "--json", "--axis", "axial", "--band", "3"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["axis"], record["slices"], record["band_mm"]) == ("axial", [0, 6, 12], 3.0)
    assert record["voxels"]["class 1"] > 0
    assert main(arguments) == 0
    assert "3 axial slices painted; filled between them: class 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--axis", "coronal"], "No coronal slice is painted"),
        (["--only", "liver"], "no class 'liver'"),
        (["--band", "-1"], "wider than 0 mm"),
    ],
)
def test_bad_input_is_one_sentence(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    out = tmp_path / "out.nii.gz"
    assert main(["interpolate", *map(str, files), "-o", str(out), "--quiet", *more]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()
