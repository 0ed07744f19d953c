import hashlib
import json
from pathlib import Path

import pytest

from napari_medpatch.cli import main
from napari_medpatch.cli.models_command import download_with_bar
from napari_medpatch.errors import BundleError

BREAST = "kaczmarj/breast-tumor-resnet34.tcga-brca"
NAME = "zoo:breast-tumor-resnet34.tcga-brca"
CONFIG = {
    "num_classes": 2, "class_names": ["Other", "Tumor"],
    "patch_size_pixels": 350, "spacing_um_px": 0.25, "transform": [],
}  # fmt: skip
COMMIT = "c" * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_breast(cache: Path) -> Path:
    storage = cache / "models--kaczmarj--breast-tumor-resnet34.tcga-brca"
    snapshot = storage / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (storage / "refs").mkdir()
    (storage / "refs" / "main").write_text(COMMIT)
    (snapshot / "config.json").write_text(json.dumps(CONFIG))
    (snapshot / "torchscript_model.pt").write_bytes(b"weights")
    (snapshot / "README.md").write_text("---\nlicense: mit\n---\n")
    return snapshot


def test_the_zoo_is_listed_without_a_network(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_breast(cache)
    assert main(["models", "--zoo", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert len(rows) == 8
    assert rows[NAME]["cached"]
    assert not rows["zoo:prostate-tumor-resnet34.tcga-prad"]["cached"]
    assert (rows[NAME]["repo"], rows[NAME]["revision"], rows[NAME]["spacing"]) == (BREAST, "main", 0.25)


def test_the_table_marks_what_is_here(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_breast(cache)
    assert main(["models", "--zoo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "  here  " in line] == [NAME]
    assert "Other, Tumor" in lines[0]


def test_the_registry_offline_is_one_sentence(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--zoo", "--download"]) == 2
    assert "cannot be downloaded because HF_HUB_OFFLINE is set" in capsys.readouterr().err


def test_a_download_that_is_there_already_says_so(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_breast(cache)
    assert main(["models", "--download", NAME, "--json", "--quiet"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["licence"], row["classes"]) == ("mit", ["Other", "Tumor"])
    assert row["origin"]["sha256"] == {"torchscript_model.pt": hashlib.sha256(b"weights").hexdigest()}


def test_a_download_offline_is_one_sentence(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--download", NAME]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"napari-medpatch: {BREAST} cannot be downloaded")


def test_a_download_needs_a_name(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--download"]) == 2
    assert "needs the name of a model" in capsys.readouterr().err
    with pytest.raises(BundleError, match="owner/name"):
        download_with_bar("nothing", quiet=True)


def test_models_name_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert "--zoo" in capsys.readouterr().out.splitlines()[-1]


def test_classify_downloads_only_when_told_to(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(
        "napari_medpatch.cli.models_command.download_with_bar", lambda name, quiet: fetched.append(name)
    )
    command = ["classify", str(tmp_path / "slide.svs"), "--model", NAME, "-o", str(tmp_path / "out")]
    assert main(command) == 2
    assert "was not downloaded yet" in capsys.readouterr().err
    assert fetched == []
    assert main([*command, "--download"]) == 2
    assert fetched == [NAME]
    put_breast(cache)
    assert main([*command, "--download"]) == 2
    assert fetched == [NAME]
    assert "slide.svs" in capsys.readouterr().err.splitlines()[-1]
