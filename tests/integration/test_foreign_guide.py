"""The example of docs/volumes.md, "Models from elsewhere", made and run as it stands there."""

import json
import re
from contextlib import closing
from pathlib import Path

import nibabel
import numpy as np
import pytest

import napari_medpatch
from napari_medpatch.cli import main
from napari_medpatch.events import run
from napari_medpatch.infer.segment import segment
from napari_medpatch.io.detect import open_source
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.models.intensity import VOLUME_KINDS
from napari_medpatch.models.monai_bundle import NETWORKS
from napari_medpatch.models.network_facts import NETWORK_KEYS

GUIDE = Path(napari_medpatch.__file__).parents[1] / "docs" / "volumes.md"


@pytest.fixture(scope="module")
def section() -> str:
    if not GUIDE.is_file():
        pytest.skip("the package is installed without its docs")
    return GUIDE.read_text(encoding="utf-8").partition("## Models from elsewhere")[2].partition("\n## ")[0]


def block(section: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def folders(section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the guide's Python in a folder and put its config.json beside the networks."""
    monkeypatch.chdir(tmp_path)
    # A module of its own, for torch looks up the source of what it compiles.
    (tmp_path / "made_by_guide.py").write_text(block(section, "python"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("air", "air-exported"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(block(section, "json"), encoding="utf-8")
    import importlib
    import sys

    sys.modules.pop("made_by_guide", None)
    importlib.import_module("made_by_guide")
    return tmp_path


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """A volume stored as RAS with an oblique affine: air in a box of soft tissue."""
    hu = np.full((40, 44, 20), 50, np.int16)
    hu[8:30, 10:34, 4:14] = -1000
    affine = np.diag([1.5, 1.5, 4.0, 1.0])
    affine[:3, :3] = affine[:3, :3] @ np.array([[0.995, -0.0998, 0], [0.0998, 0.995, 0], [0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(hu, affine), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


def test_the_command_of_the_guide_writes_the_mask(folders: Path, ct: Path, section: str) -> None:
    command = next(line for line in section.splitlines() if line.startswith("napari-medpatch segment"))
    assert main([*command.split()[1:], "--device", "cpu", "--quiet"]) == 0
    mask, image = nibabel.load(folders / "air-mask.nii.gz"), nibabel.load(ct)
    np.testing.assert_allclose(mask.affine, image.affine, atol=1e-5)
    found, truth = np.asarray(mask.dataobj) > 0, np.asarray(image.dataobj) < -500
    assert found.shape == truth.shape
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97


def test_both_files_give_the_same(folders: Path, ct: Path) -> None:
    with closing(open_source(ct)) as source:
        masks = [run(segment(source, load_bundle(folders / name))).mask for name in ("air", "air-exported")]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert masks[0].any()


def test_the_guide_names_what_there_is(section: str) -> None:
    for name in (*NETWORK_KEYS, *VOLUME_KINDS, *NETWORKS):
        assert name in section, name
    assert json.loads(block(section, "json"))["task"] == "segment-3d"
