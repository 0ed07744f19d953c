import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from window_jobs import finish

from napari_medpatch.errors import BundleError
from napari_medpatch.events import Finished, Noted, Started, Working
from napari_medpatch.models.zoo import zoo_bundle
from napari_medpatch.plugin.model_chooser import ModelChooser
from napari_medpatch.plugin.settings import preference

BREAST = "breast-tumor-resnet34.tcga-brca"
COMMIT = "d" * 40
CONFIG = {
    "num_classes": 2, "class_names": ["Other", "Tumor"], "patch_size_pixels": 350, "spacing_um_px": 0.25,
    "transform": [{"name": "ToTensor"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(cache: Path) -> Path:
    """Put a model into the hub's cache as a download does; return its weights."""
    storage = cache / f"models--kaczmarj--{BREAST}"
    snapshot = storage / "snapshots" / COMMIT
    for folder in (snapshot, storage / "refs", storage / "blobs"):
        folder.mkdir(parents=True)
    (storage / "refs" / "main").write_text(COMMIT)
    (snapshot / "config.json").write_text(json.dumps(CONFIG))
    (snapshot / "README.md").write_text("---\nlicense: mit\n---\n# Breast\n")
    blob = storage / "blobs" / hashlib.sha256(b"weights").hexdigest()
    blob.write_bytes(b"weights")
    (snapshot / "torchscript_model.pt").symlink_to(blob)
    return blob


@pytest.fixture
def chooser(qtbot: Any) -> ModelChooser:
    widget = ModelChooser("classify", "model")
    qtbot.addWidget(widget)
    widget.show()
    return widget


def texts(chooser: ModelChooser) -> list[str]:
    return [chooser.combo.itemText(index) for index in range(chooser.combo.count())]


def test_the_zoo_stands_under_a_separator_after_ones_own_models(chooser: ModelChooser, classifier: Any) -> None:
    chooser.offer(["patch-classifier"])
    assert texts(chooser)[:2] == ["tiny-patches", ""]
    assert len(texts(chooser)) == 10
    assert all(text.endswith(" (to download)") for text in texts(chooser)[2:])
    assert chooser.bundle().card.name == "tiny-patches"
    assert not chooser.download.isVisible()


def test_other_tasks_do_not_see_the_zoo(chooser: ModelChooser, unet: Any) -> None:
    chooser.offer(["segment-3d"])
    assert texts(chooser) == ["tiny-unet"]
    assert not chooser.export_button.isVisible()


def test_a_model_that_is_not_here_can_be_chosen_but_not_run(chooser: ModelChooser, classifier: Any) -> None:
    chooser.offer(["patch-classifier"])
    chooser.choose(BREAST)
    assert chooser.bundle() is None
    assert chooser.why_none() == "Download this model first, or choose another."
    assert chooser.download.isVisible()
    assert "Patches of 350 pixels at 0.25 µm" in chooser.card.text()
    assert not chooser.read_button.isEnabled()
    assert not chooser.export_button.isVisible()
    assert preference("classify", "model") == BREAST
    chooser.choose("tiny-patches")
    assert not chooser.download.isVisible()
    assert chooser.export_button.isVisible()


def test_a_downloaded_model_is_used_like_any_other(chooser: ModelChooser, cache: Path, qtbot: Any) -> None:
    put(cache)
    chooser.offer(["patch-classifier"])
    assert texts(chooser)[0] == BREAST
    assert chooser.bundle().card.origin["commit"] == COMMIT
    assert "Licence: mit" in chooser.card.text()
    assert not chooser.download.isVisible()
    again = ModelChooser("classify", "model")
    qtbot.addWidget(again)
    again.offer(["patch-classifier"])
    assert again.bundle().card.name == BREAST


def test_a_damaged_download_is_one_sentence(chooser: ModelChooser, cache: Path, said: list[str]) -> None:
    put(cache).write_bytes(b"half")
    chooser.offer(["patch-classifier"])
    assert chooser.bundle() is None
    assert [sentence for sentence in said if "is damaged" in sentence] == said
    assert len(said) == 1


def test_without_an_answer_nothing_is_downloaded(chooser: ModelChooser, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    chooser.offer(["patch-classifier"])
    chooser.choose(BREAST)
    monkeypatch.setattr(chooser.download, "_ask", lambda parent, model: asked.append(model.name))
    chooser.download.row.run_button.click()
    assert asked == [BREAST]
    assert not chooser.download.runner.is_running


def test_the_question_names_source_and_risk(chooser: ModelChooser, monkeypatch: pytest.MonkeyPatch) -> None:
    from qtpy.QtWidgets import QMessageBox

    shown: list[str] = []

    def answer(parent: Any, title: str, text: str) -> Any:
        shown.append(text)
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", answer)
    chooser.offer(["patch-classifier"])
    chooser.choose(BREAST)
    chooser.download.start()
    assert f"kaczmarj/{BREAST}" in shown[0]
    assert "a program of the model's authors" in shown[0]
    assert not chooser.download.runner.is_running


def test_a_download_ends_with_the_model_chosen(
    chooser: ModelChooser, cache: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def job(name: str) -> Any:
        yield Noted("Asking…")
        yield Started(85, "MB")
        yield Working(40.0)
        put(cache)
        yield Finished(zoo_bundle(name))

    monkeypatch.setattr("napari_medpatch.models.zoo.download_model", job)
    chooser.offer(["patch-classifier"])
    chooser.choose(BREAST)
    monkeypatch.setattr(chooser.download, "_ask", lambda parent, model: True)
    with qtbot.waitSignal(chooser.changed):
        finish(qtbot, chooser.download.runner, chooser.download.row.run_button.click)
    assert chooser.bundle().card.name == BREAST
    assert "(to download)" not in chooser.combo.currentText()
    qtbot.waitUntil(lambda: not chooser.download.isVisible())


def test_a_download_that_fails_says_why(
    chooser: ModelChooser, qtbot: Any, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    def job(name: str) -> Any:
        yield Noted("Asking…")
        raise BundleError("The Hugging Face hub could not be reached; connect to the internet and try again.")

    monkeypatch.setattr("napari_medpatch.models.zoo.download_model", job)
    chooser.offer(["patch-classifier"])
    chooser.choose(BREAST)
    monkeypatch.setattr(chooser.download, "_ask", lambda parent, model: True)
    finish(qtbot, chooser.download.runner, chooser.download.row.run_button.click)
    assert "could not be reached" in chooser.download.row.message.text()
    assert len(said) == 1
    assert chooser.bundle() is None


def test_a_stopped_download_of_a_model_no_longer_chosen_is_out_of_the_way(
    chooser: ModelChooser, classifier: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def job(name: str) -> Any:
        while True:
            time.sleep(0.01)
            yield Working(0.0)

    monkeypatch.setattr("napari_medpatch.models.zoo.download_model", job)
    monkeypatch.setattr(chooser.download, "_ask", lambda parent, model: True)
    chooser.offer(["patch-classifier"])
    chooser.choose(BREAST)
    chooser.download.start()
    chooser.choose("tiny-patches")
    assert chooser.download.isVisible()
    finish(qtbot, chooser.download.runner, chooser.download.row.stop_button.click)
    assert not chooser.download.isVisible()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is not a model bundle"), ("{", "cannot be read as JSON"), ("{}", "lacks num_classes")],
)
def test_a_folder_that_is_no_bundle_is_one_sentence(
    chooser: ModelChooser, tmp_path: Path, said: list[str], content: str | None, words: str
) -> None:
    chooser.offer(["patch-classifier"])
    folder = tmp_path / "holiday"
    folder.mkdir()
    if content is not None:
        (folder / "config.json").write_text(content)
    before = texts(chooser)
    chooser.add_folder(str(folder))
    assert len(said) == 1
    assert words in said[0]
    assert texts(chooser) == before


def test_the_chosen_model_is_written_for_qupath(
    chooser: ModelChooser, classifier: Any, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    chooser.offer(["patch-classifier"])
    monkeypatch.setattr(chooser.export_button, "_ask", lambda parent, start: str(tmp_path))
    finish(qtbot, chooser.export_button.runner, chooser.export_button.click)
    written = tmp_path / "tiny-patches-wsinfer"
    assert {path.name for path in written.iterdir()} == {"config.json", "torchscript_model.pt", "README.md"}
    assert said == [f"{written} is ready for WSInfer and QuPath."]
    assert chooser.export_button.isEnabled()
