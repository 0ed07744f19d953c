"""Folders that cannot be written and files that cannot be read end in one sentence, at once, and lose nothing."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("read_only_commands.py")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def as_somebody_without_rights() -> list[str]:
    """How a process is started that root's rights do not help."""
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no users that may write here and not there")
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and setpriv is not here to become somebody else")
    if subprocess.run([*NOBODY, sys.executable, "-c", "import napari_medpatch"], check=False).returncode:
        pytest.skip("only root may start this Python")
    return NOBODY


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, with a scan, a mask and labels in it."""
    with tempfile.TemporaryDirectory(prefix="medpatch-rights-") as name:
        folder = Path(name)
        for inner in ("given", "locked", "secret", "open"):
            (folder / inner).mkdir()
        hu = np.full((24, 20, 12), 40, np.int16)
        hu[4:12, 5:15, 3:9] = -800
        labels = np.zeros(hu.shape, np.uint8)
        labels[..., 2::4] = np.where(hu[..., 2::4] < 0, 2, 1)
        for stem, values in {"ct": hu, "mask": (hu < 0).astype(np.uint8), "labels": labels}.items():
            nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2, 3, 1])), folder / "given" / f"{stem}.nii.gz")
        shutil.copy(folder / "given" / "ct.nii.gz", folder / "secret")
        (folder / "locked" / "kept.txt").write_text("kept")
        folder.chmod(0o755)
        (folder / "open").chmod(0o777)
        (folder / "locked").chmod(0o555)
        (folder / "secret").chmod(0o700 if hasattr(os, "geteuid") and os.geteuid() == 0 else 0)
        yield folder
        (folder / "locked").chmod(0o755)
        (folder / "secret").chmod(0o755)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for inner in ("given", "locked") for path in (folder / inner).rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_job_says_so_in_one_sentence_and_loses_nothing(place: Path) -> None:
    before = digests(place)
    command = [*as_somebody_without_rights(), sys.executable, str(SCRIPT), str(place)]
    home = str(place / "open")
    places = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MEDPATCH_DATA"), home)
    ran = subprocess.run(command, env=os.environ | places, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    outcomes = json.loads(ran.stdout)
    assert len(outcomes) == 18
    wanted = {name: "cannot be read" if name.startswith("secret") else "cannot be written" for name in outcomes}
    wrong = {
        name: said
        for name, (code, said) in outcomes.items()
        if code != 2 or len(said.splitlines()) != 1 or f"{wanted[name]} (no permission)" not in said
    }
    assert wrong == {}
    assert digests(place) == before
    assert not list((place / "open").glob("*.nii.gz"))
