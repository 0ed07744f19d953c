"""A disk that becomes full while a command works, a real one, loses none of the work."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from napari_medpatch.models.bundle import load_bundle

SCRIPT = Path(__file__).with_name("full_disk_at_the_end.py")
APART = ["unshare", "--user", "--map-root-user", "--mount"]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders: what is given, the small disk, the user's data."""
    places = {name: tmp_path_factory.mktemp(name) for name in ("given", "small", "data")}
    hu = np.full((32, 28, 16), 40, np.int16)
    hu[4:14, 6:22, 3:13] = hu[18:28, 6:22, 3:13] = -850
    labels = np.zeros(hu.shape, np.uint8)
    labels[..., 2::4] = np.where(hu[..., 2::4] < 0, 2, 1)
    for stem, values in {"ct": hu, "labels": labels}.items():
        nibabel.save(nibabel.Nifti1Image(values, np.diag([4.0, 4, 5, 1])), places["given"] / f"{stem}.nii.gz")
    return places


@pytest.fixture(scope="module")
def rounds(places: dict[str, Path]) -> dict[str, Any]:
    """What each command said and left."""
    if shutil.which("unshare") is None or subprocess.run([*APART, "true"], check=False).returncode:
        pytest.skip("this system has no user namespaces")
    environment = os.environ | {"MEDPATCH_DATA": str(places["data"]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*APART, sys.executable, str(SCRIPT), *map(str, places.values())],
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_trained_model_and_its_mask_are_kept_and_both_places_told(
    rounds: dict[str, Any], places: dict[str, Path]
) -> None:
    found, data = rounds["finetune"], places["data"]
    assert (found["code"], found["left"]) == (2, []), found
    assert found["said"].count("napari-medpatch: ") == 1
    for place in (data / "models" / "kept-model", data / "kept" / "kept-mask.nii.gz"):
        assert f" is kept in {place}: " in found["said"]
    assert load_bundle(data / "models" / "kept-model").card.training["steps"] == 2
    assert nibabel.load(data / "kept" / "kept-mask.nii.gz").shape == (32, 28, 16)


def test_a_mask_is_kept_and_nothing_half_written_is_left(rounds: dict[str, Any], places: dict[str, Path]) -> None:
    found, kept = rounds["segment"], places["data"] / "kept" / "kept-mask-2.nii.gz"
    assert found["code"] == 2
    assert found["said"].count("\n") == 1
    assert f"; the finished result is kept in {kept}: move it where you want it" in found["said"]
    assert np.asarray(nibabel.load(kept).dataobj).any()
    assert not [name for name in found["left"] if ".tmp" in name or "partial" in name], found["left"]


def test_where_nothing_else_can_be_written_the_blocks_are_named(
    rounds: dict[str, Any], places: dict[str, Path]
) -> None:
    found, parts = rounds["nowhere"], places["small"] / "mask.nii.gz.parts"
    assert found["code"] == 2
    assert found["said"].count("\n") == 1
    assert "The disk is full: " in found["said"]
    assert f"finished blocks are kept in {parts}, run it without --no-resume to go on" in found["said"]
    assert any(name.startswith("mask.nii.gz.parts/block-") for name in found["left"])
    assert not [name for name in found["left"] if ".tmp" in name], found["left"]


def test_a_disk_that_is_full_already_is_told_before_training(rounds: dict[str, Any]) -> None:
    found = rounds["no room"]
    assert found["code"] == 2
    assert "free and the model takes" in found["said"] or "The disk is full" in found["said"]
    assert found["said"].count("\n") == 1
