import time
from pathlib import Path

import pytest
from fake_hub import BREAST, COMMIT, put_all

from napari_medpatch.errors import BundleError
from napari_medpatch.events import Finished, Noted, Started, Working
from napari_medpatch.models.hub import HubName
from napari_medpatch.models.hub_download import download_bundle

LIBRARY = '''
"""Stands in for the hub's library in the process that downloads."""
import os, sys, time, types
from pathlib import Path

errors = types.ModuleType("huggingface_hub.errors")
constants = types.ModuleType("huggingface_hub.constants")
for name in ("HfHubHTTPError", "GatedRepoError", "RepositoryNotFoundError", "RevisionNotFoundError",
             "HFValidationError", "EntryNotFoundError", "LocalEntryNotFoundError", "OfflineModeIsEnabled"):
    setattr(errors, name, type(name, (OSError,), {{}}))
constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = os.environ["HF_HUB_CACHE"], False
sys.modules |= {{"huggingface_hub.errors": errors, "huggingface_hub.constants": constants}}
hf_hub_url = lambda repo, file, revision: file
get_hf_file_metadata = lambda url: types.SimpleNamespace(size={size})

def hf_hub_download(repo, file, revision, repo_type):
    storage = Path(constants.HF_HUB_CACHE) / ("models--" + repo.replace("/", "--"))
    path = storage / "snapshots" / "{commit}" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if file == "config.json":
        path.write_text("{{}}")
    if file == "torchscript_model.pt":
        part = storage / "blobs" / "x.incomplete"
        part.parent.mkdir(exist_ok=True)
        print("a library's warning", flush=True)
        for step in range({steps}):
            with part.open("ab") as out:
                out.write(b"0" * 1_000_000)
            time.sleep(0.15)
        part.rename(path)
    return str(path)
'''


@pytest.fixture
def library(tmp_path: Path, hub_cache: Path, monkeypatch: pytest.MonkeyPatch):
    def make(*, steps: int, size: int) -> None:
        package = tmp_path / "library" / "huggingface_hub"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(LIBRARY.format(steps=steps, size=size, commit=COMMIT))
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return make


def test_a_download_shows_how_far_it_is(library, hub_cache: Path) -> None:
    library(steps=5, size=5_000_000)
    events = list(download_bundle(HubName(BREAST)))
    assert isinstance(events[0], Noted)
    assert [(event.total, event.unit) for event in events if isinstance(event, Started)] == [(5, "MB")]
    done = [event.done for event in events if isinstance(event, Working)]
    assert done[0] == 0
    assert 1 <= max(done) <= 5
    folder = hub_cache / "models--kaczmarj--breast-tumor-resnet34.tcga-brca" / "snapshots" / COMMIT
    assert events[-1] == Finished(folder)


def test_stop_ends_the_process(library, hub_cache: Path) -> None:
    library(steps=1000, size=0)
    job = download_bundle(HubName(BREAST))
    while not any(hub_cache.rglob("*.incomplete")):
        assert not isinstance(next(job), Finished)
    job.close()
    part = next(hub_cache.rglob("*.incomplete"))
    size = part.stat().st_size
    time.sleep(0.4)
    assert part.stat().st_size == size


def test_without_a_network_the_job_fails_with_the_sentence(hub_cache: Path) -> None:
    with pytest.raises(BundleError, match="HF_HUB_OFFLINE is set"):
        list(download_bundle(HubName(BREAST)))


def test_what_is_there_already_is_not_asked_for_again(hub_cache: Path) -> None:
    folder = put_all(hub_cache, BREAST, {"config.json": b"{}", "torchscript_model.pt": b"x", "README.md": b""})
    assert list(download_bundle(HubName(BREAST)))[-1] == Finished(folder)
