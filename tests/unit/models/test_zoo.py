import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fake_hub import BREAST, COMMIT, Hub, put_all

from napari_medpatch.errors import BundleError
from napari_medpatch.events import Finished, run
from napari_medpatch.models import zoo
from napari_medpatch.models.registry import resolve_model

NAME = "zoo:breast-tumor-resnet34.tcga-brca"


@pytest.fixture
def files(breast_files: dict[str, bytes]) -> dict[str, bytes]:
    return dict(breast_files)


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("name", [NAME, BREAST, f"{NAME}@main", f"{BREAST}@{COMMIT}"])
def test_a_downloaded_model_works_by_name_without_a_network(hub: Hub, files: dict[str, bytes], name: str) -> None:
    put_all(hub.cache, BREAST, files)
    bundle = resolve_model(name)
    assert bundle.load()(torch.rand(2, 3, 32, 32)).shape == (2, 2)
    assert bundle.card.class_names == ("Other", "Tumor")
    assert hub.asked == []


def test_the_card_records_where_it_came_from(hub: Hub, files: dict[str, bytes]) -> None:
    put_all(hub.cache, BREAST, files)
    card = zoo.zoo_bundle(NAME).card
    assert card.name == "breast-tumor-resnet34.tcga-brca"
    assert card.licence == "bsd-3-clause"
    assert card.origin == {
        "hub": "huggingface.co",
        "repo": BREAST,
        "revision": "main",
        "commit": COMMIT,
        "sha256": {"torchscript_model.pt": hashlib.sha256(files["torchscript_model.pt"]).hexdigest()},
    }
    assert card.to_config()["medpatch"]["origin"]["commit"] == COMMIT


def test_nothing_is_downloaded_unless_asked_for(hub: Hub, files: dict[str, bytes]) -> None:
    hub.repos[BREAST] = files
    with pytest.raises(BundleError, match=f"{NAME} was not downloaded yet; fetch it with .*models --download {NAME}"):
        resolve_model(NAME)
    assert hub.asked == []
    assert resolve_model(NAME, download=True).card.num_classes == 2
    asked = list(hub.asked)
    assert {file for _, file, _ in asked} == {"config.json", "torchscript_model.pt", "README.md"}
    assert resolve_model(NAME, download=True).card.num_classes == 2
    assert hub.asked == asked


def test_a_name_that_is_neither_here_nor_cached(hub_cache: Path) -> None:
    with pytest.raises(BundleError, match="models/mine is neither a model here nor a repository"):
        resolve_model("models/mine")


def test_a_folder_comes_before_a_repository(
    hub: Hub, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "work" / BREAST, files)
    monkeypatch.chdir(tmp_path / "work")
    assert resolve_model(BREAST).card.origin == {}


def test_a_model_that_the_zoo_lacks(hub_cache: Path) -> None:
    with pytest.raises(BundleError, match=r"no model 'heart'; .*models --zoo"):
        zoo.zoo_bundle("zoo:heart")


@pytest.mark.parametrize(
    ("readme", "licence"),
    [
        (b"---\ntags: [x]\nlicence: 'mit'\n---\n", "mit"),
        (b"# No front matter\nlicense: gpl\n", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_licence_is_that_of_the_readme(
    hub_cache: Path, files: dict[str, bytes], readme: bytes | None, licence: str
) -> None:
    del files["README.md"]
    put_all(hub_cache, BREAST, files | ({"README.md": readme} if readme is not None else {}))
    assert zoo.zoo_bundle(NAME).card.licence == licence


def test_damaged_weights_are_noticed_before_they_run(hub_cache: Path, files: dict[str, bytes]) -> None:
    folder = put_all(hub_cache, BREAST, files)
    (folder / "torchscript_model.pt").resolve().write_bytes(files["torchscript_model.pt"][:-1])
    with pytest.raises(BundleError, match="is damaged"):
        zoo.zoo_bundle(NAME)


def test_the_download_job_gives_the_bundle(hub_cache: Path, files: dict[str, bytes]) -> None:
    put_all(hub_cache, BREAST, files)
    bundle = run(zoo.download_model(NAME))
    assert bundle.card.origin["repo"] == BREAST
    assert not isinstance(next(iter(zoo.download_model(NAME))), Finished)


def test_looking_for_models_imports_neither_torch_nor_the_network_code() -> None:
    code = (
        "import sys, napari_medpatch.models.zoo as z; [m.cached for m in z.list_zoo()];"
        "sys.exit(bool({'torch', 'huggingface_hub.file_download'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
