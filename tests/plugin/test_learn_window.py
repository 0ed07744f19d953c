"""Painting and really retraining in the window: the mask gets better, and Stop stops."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from window_jobs import finish

from napari_medpatch.annotate.project import Project
from napari_medpatch.errors import OutputError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.models.registry import user_models_folder
from napari_medpatch.plugin.annotate_widget import AnnotateWidget
from napari_medpatch.plugin.layers import layer_data, role_of


@pytest.fixture
def truth() -> np.ndarray:
    """A ball in a box, ``(16, 40, 40) bool``."""
    z, y, x = np.mgrid[:16, :40, :40]
    return ((z - 8) * 2) ** 2 + (y - 20) ** 2 + (x - 20) ** 2 < 144


@pytest.fixture
def tab(viewer: Any, truth: np.ndarray, tmp_path: Path) -> AnnotateWidget:
    widget = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Paint")
    noise = np.random.default_rng(0).normal(0, 60, truth.shape)
    hu = (np.where(truth, 40, -800) + noise).astype(np.int16)
    source = ArraySource(hu, "volume", spacing=(2.0, 1.0, 1.0), path=tmp_path / "ball.nii")
    ((data, attributes, _),) = layer_data(source)
    viewer.add_image(data, **attributes)
    widget.box.new_labels()
    labels = widget.box.labels()
    for index in (5, 8, 11):
        labels.data[index] = truth[index] + 1
    labels.refresh()
    return widget


def test_three_painted_slices_give_the_ball(tab: AnnotateWidget, qtbot: Any, truth: np.ndarray) -> None:
    tab.seconds.setValue(20)
    finish(qtbot, tab.runner, tab.row.run_button.click, timeout=180000)
    (mask,) = [layer for layer in tab.viewer.layers if role_of(layer) == "mask"]
    rest = [index for index in range(16) if index not in (5, 8, 11)]
    found, wanted = mask.data[rest] == 1, truth[rest]
    assert (found & wanted).sum() / (found | wanted).sum() > 0.7
    assert len(tab.plot.losses) > 0
    # The model is kept in the project and offered as the next base.
    project = Project.for_source(tab.current.live)
    assert (project.bundles / "model-1" / "model.safetensors").is_file()
    assert project.history()[-1]["event"] == "fine-tuned"
    tab.base.choose("model-1")
    assert tab.base.bundle() is not None


def test_stop_ends_training_within_a_second(tab: AnnotateWidget, qtbot: Any) -> None:
    tab.seconds.setValue(300)
    with qtbot.waitSignal(tab.runner.progressed, timeout=60000):
        tab.row.run_button.click()
    qtbot.wait(1500)
    began = time.monotonic()
    with qtbot.waitSignal(tab.runner.idle, timeout=10000):
        tab.row.stop_button.click()
    assert time.monotonic() - began < 1.5
    said = tab.row.message.text()
    if tab.plot.steps:
        assert said.startswith(f"Stopped after {tab.plot.steps[-1]} steps; the model is kept in ")
        assert tab.base.combo.findText("model-1") > 0
    else:
        assert said == "Stopped before the first step; there is no new model."


def test_a_model_whose_folder_is_lost_is_offered_from_where_it_is_kept(
    tab: AnnotateWidget, qtbot: Any, said: list[str]
) -> None:
    tab.seconds.setValue(6)
    tab.name.setText("ball")
    lost = user_models_folder() / "ball"

    def lose(_events: Any) -> None:
        # A folder that is no model's is left alone, so the model cannot go there.
        lost.mkdir(parents=True, exist_ok=True)
        (lost / "notes.txt").write_text("mine")

    tab.runner.progressed.connect(lose)
    finish(qtbot, tab.runner, tab.row.run_button.click, timeout=180000)
    kept = user_models_folder() / "kept-ball"
    assert f"is kept in {kept}" in tab.row.message.text()
    assert any(f"the trained model is kept in {kept}: use it from there" in sentence for sentence in said)
    assert any(role_of(layer) == "mask" for layer in tab.viewer.layers)
    tab.base.choose("kept-ball")
    assert tab.base.bundle().path == kept
    assert Project.for_source(tab.current.live).history()[-1]["model"] == str(kept)
    assert [path.name for path in lost.iterdir()] == ["notes.txt"]


def test_a_training_that_is_stopped_when_its_folder_is_lost_says_where_the_model_is(
    tab: AnnotateWidget, qtbot: Any, said: list[str]
) -> None:
    tab.seconds.setValue(300)
    tab.name.setText("ball")

    def lose(_events: Any) -> None:
        if tab.plot.steps and tab.runner.is_running:
            (user_models_folder() / "ball").mkdir(parents=True, exist_ok=True)
            (user_models_folder() / "ball" / "notes.txt").write_text("mine")
            tab.runner.stop()

    tab.runner.progressed.connect(lose)
    finish(qtbot, tab.runner, tab.row.run_button.click, timeout=180000)
    kept = user_models_folder() / "kept-ball"
    assert f"the trained model is kept in {kept}" in tab.row.message.text()
    assert tab.row.message.text() in said
    assert load_bundle(kept).card.training["steps"] >= 1


def test_a_history_that_cannot_be_written_costs_neither_model_nor_mask(
    tab: AnnotateWidget, qtbot: Any, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OutputError("The history cannot be written.")

    monkeypatch.setattr(Project, "record", full)
    tab.seconds.setValue(6)
    tab.name.setText("ball")
    finish(qtbot, tab.runner, tab.row.run_button.click, timeout=180000)
    assert "The history cannot be written." in said
    assert "steps in" in tab.row.message.text()
    assert tab.base.combo.findText("ball") > 0
