"""Shared fixtures: real data if it lies beside the checkout, and a home folder that tests may fill."""

import os
import tempfile
from pathlib import Path

import pytest

# Read once, when the hub's library is imported, which may be while tests are collected: no test uses the
# network, nor what the user has downloaded.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.pop("HF_HUB_CACHE", None)
os.environ["HF_HOME"] = str(Path(tempfile.gettempdir()) / "medpatch-tests-have-no-hub")

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real slides, photographs and volumes; see its MANIFEST.md. Never shipped."""
    if not REAL.is_dir():
        pytest.skip("the folder ../shared/real with real images is not here")
    return REAL


@pytest.fixture(autouse=True)
def _private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep projects, user models and settings of the tests out of the user's folders."""
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("MEDPATCH_DATA", str(home / "medpatch"))
