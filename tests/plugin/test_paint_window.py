"""The Paint & learn tab: labels, classes, brush, autosave, resume; training itself is faked here."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QCloseEvent, QShowEvent
from window_jobs import finish

from napari_medpatch.annotate.project import Project
from napari_medpatch.errors import LabelsError
from napari_medpatch.events import Finished, Started, StepDone, Validated
from napari_medpatch.geometry import GridTransform, derived_grid
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.plugin.annotate_widget import AnnotateWidget
from napari_medpatch.plugin.layers import layer_data, role_of
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.sparse_layer import paintable_grids

_CARD = ModelCard("made up", "segment-3d", "unet", ("background", "class 1"), in_channels=1)


@dataclass
class FakeSettings:
    seconds: float
    device: str = "auto"
    use_accepted: bool = False


class FakeTraining:
    """Stands in for the training module; remembers what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.FineTuneSettings = FakeSettings

    def fine_tune(self, source: Any, labels: Any, base: Any, settings: Any, *, out: Any) -> Iterator[Any]:
        self.calls.append((source, labels, base, settings))
        labels.check(source)
        place = GridTransform((1.0,) * labels.labels.ndim, (0.0,) * labels.labels.ndim)
        steps = tuple(n / m for n, m in zip(source.levels[0].shape, labels.labels.shape, strict=True))
        if source.spacing is not None:
            place = derived_grid(steps, source.spacing.values)
        context = {"shape": labels.labels.shape, "classes": labels.foreground, "downsample": steps, "transform": place}
        yield Started(int(settings.seconds), "seconds", context=context)
        for step in range(1, 41):
            yield StepDone(step, 1 / step, 0.1 * step, step // 2)
        yield Validated(40, {"dice": 0.9})
        mask = np.full(labels.labels.shape, len(self.calls), np.uint8)
        chances = np.full((labels.num_classes - 1, *mask.shape), 99, np.uint8)
        made = {"mask": mask, "probabilities": chances, "metrics": {"dice": 0.9}, "steps": 40, "seconds": 4.0}
        yield Finished(SimpleNamespace(**made, bundle=Bundle(out, _CARD)))


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    fake = FakeTraining()
    monkeypatch.setitem(sys.modules, "napari_medpatch.train.fine_tune", fake)  # type: ignore[arg-type]
    return fake


@pytest.fixture
def ct_file(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(-1000, 200, (32, 28, 10)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.5, 1])), tmp_path / "ct.nii")
    return tmp_path / "ct.nii"


@pytest.fixture
def tab(viewer: Any, training: FakeTraining) -> AnnotateWidget:
    widget = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Paint")
    return widget


def stroke(layer: Any, value: int, row: int) -> None:
    """Paint as the mouse does."""
    layer.selected_label = value
    layer.paint((5, row, 14), value)


def test_paint_train_refresh(tab: AnnotateWidget, qtbot: Any, training: FakeTraining, ct_file: Path) -> None:
    viewer = tab.viewer
    (image,) = open_paths(viewer, [ct_file])
    tab.run()
    assert "New sparse labels" in tab.row.message.text()
    qtbot.mouseClick(tab.box.new_button, Qt.MouseButton.LeftButton)
    layer = tab.box.labels()
    assert layer.data.dtype == np.uint8
    assert layer.data.shape == image.data.shape
    np.testing.assert_allclose(layer.scale, image.scale)
    assert layer.colormap.map(0)[3] == 0
    assert layer.mode == "paint"
    # Training on nothing is one sentence.
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert tab.row.message.text().startswith("Nothing is painted yet")
    stroke(layer, 1, 5)
    stroke(layer, 2, 25)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    source, labels, base, settings = training.calls[-1]
    assert source.path == ct_file
    assert base is None
    assert settings.seconds == tab.seconds.value()
    assert np.array_equal(labels.labels, layer.data)
    assert labels.class_names == ("background", "class 1")
    assert tab.plot.steps == list(range(1, 41))
    assert tab.row.message.text() == "40 steps in 4 s. On strokes held out: Dice 0.90."
    masks = [each for each in viewer.layers if role_of(each) == "mask"]
    assert len(masks) == 1
    assert (masks[0].data == 2).all()
    np.testing.assert_allclose(masks[0].data_to_world((3, 4, 5)), image.data_to_world((3, 4, 5)))
    # The next training refreshes the same layers.
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert [each for each in viewer.layers if role_of(each) == "mask"] == masks
    assert (masks[0].data == 3).all()


def test_strokes_are_on_disk_within_five_seconds_and_offered_again(
    tab: AnnotateWidget, qtbot: Any, ct_file: Path
) -> None:
    viewer = tab.viewer
    (image,) = open_paths(viewer, [ct_file])
    qtbot.waitUntil(lambda: not tab.box.finder.is_running, timeout=10000)
    assert tab.box.resume_button.isHidden()
    tab.box.new_labels()
    layer = tab.box.labels()
    tab.box.classes.list.item(1).setText("lung")
    project = Project.for_source(image.metadata["medpatch_source"])
    stroke(layer, 2, 14)
    painted = time.monotonic()

    def saved() -> bool:
        return project.has_labels() and np.array_equal(project.latest_labels().labels.labels, layer.data)

    qtbot.waitUntil(saved, timeout=5000)
    assert time.monotonic() - painted < 5
    assert project.latest_labels().labels.class_names == ("background", "lung")
    assert "lung" in tab.box.fraction.text()
    # Undo is a change too.
    layer.undo()
    qtbot.waitUntil(saved, timeout=5000)
    assert not layer.data.any()
    stroke(layer, 2, 14)
    strokes = layer.data.copy()
    # What was painted last is written when the layer goes.
    viewer.layers.clear()
    assert np.array_equal(project.latest_labels().labels.labels, strokes)
    open_paths(viewer, [ct_file])
    qtbot.waitUntil(lambda: not tab.box.resume_button.isHidden(), timeout=10000)
    qtbot.mouseClick(tab.box.resume_button, Qt.MouseButton.LeftButton)
    assert np.array_equal(tab.box.labels().data, strokes)
    assert tab.box.classes.names() == ("background", "lung")


def test_classes_and_brush(tab: AnnotateWidget, qtbot: Any, ct_file: Path) -> None:
    open_paths(tab.viewer, [ct_file])
    tab.box.new_labels()
    layer, classes = tab.box.labels(), tab.box.classes
    qtbot.mouseClick(classes.add_button, Qt.MouseButton.LeftButton)
    assert classes.names() == ("background", "class 1", "class 2")
    assert layer.selected_label == 3
    classes.set_colour(2, "#123456")
    np.testing.assert_allclose(layer.colormap.map(3)[:3], np.array([0x12, 0x34, 0x56]) / 255, atol=1e-6)
    # Empty and double names are refused.
    for wrong in ("", "class 1"):
        classes.list.item(2).setText(wrong)
        assert classes.names()[2] == "class 2"
    classes.list.setCurrentRow(0)
    assert layer.selected_label == 1
    for mode in ("erase", "fill", "pan_zoom", "paint"):
        qtbot.mouseClick(tab.box.paint.buttons[mode], Qt.MouseButton.LeftButton)
        assert layer.mode == mode
    layer.mode = "erase"
    assert tab.box.paint.buttons["erase"].isChecked()
    tab.box.paint.size.setValue(25)
    assert layer.brush_size == 25
    layer.brush_size = 7
    assert tab.box.paint.size.value() == 7
    tab.box.paint.in_3d.setChecked(True)
    assert layer.n_edit_dimensions == 3


def test_a_slide_is_painted_at_a_resolution_that_napari_can_edit(
    tab: AnnotateWidget, qtbot: Any, training: FakeTraining, slide_file: Path
) -> None:
    (image,) = open_paths(tab.viewer, [slide_file])
    assert all(max(grid.shape) <= 8192 for grid in paintable_grids(image))
    coarse = len(tab.box.grids) - 1
    assert coarse > 0
    tab.box.grid_combo.setCurrentIndex(coarse)
    tab.box.new_labels()
    layer = tab.box.labels()
    assert layer.data.shape == tab.box.grids[coarse].shape
    full = np.array(image.data[0].shape[:2])
    np.testing.assert_allclose(
        layer.data_to_world(np.array(layer.data.shape) - 0.5), image.data_to_world(full - 0.5), rtol=2e-3
    )
    layer.data[:2], layer.data[-2:] = 1, 2
    finish(qtbot, tab.runner, tab.row.run_button.click)
    (mask,) = [each for each in tab.viewer.layers if role_of(each) == "mask"]
    np.testing.assert_allclose(mask.data_to_world((3, 4)), layer.data_to_world((3, 4)))


def test_strokes_are_written_when_the_window_closes(tab: AnnotateWidget, ct_file: Path) -> None:
    (image,) = open_paths(tab.viewer, [ct_file])
    tab.box.new_labels()
    tab.box.showEvent(QShowEvent())
    stroke(tab.box.labels(), 2, 14)
    project = Project.for_source(image.metadata["medpatch_source"])
    assert not project.has_labels()
    tab.box.eventFilter(tab.box.window(), QCloseEvent())
    assert np.array_equal(project.latest_labels().labels.labels, tab.box.labels().data)


def test_strokes_that_were_there_before_the_panel_are_saved_too(tab: AnnotateWidget, qtbot: Any, ct_file: Path) -> None:
    (image,) = open_paths(tab.viewer, [ct_file])
    tab.box.new_labels()
    tab.box.keeper.watch(None)
    stroke(tab.box.labels(), 2, 14)
    project = Project.for_source(image.metadata["medpatch_source"])
    again = AnnotateWidget(tab.viewer)
    qtbot.addWidget(again)
    assert again.box.labels() is tab.box.labels()
    qtbot.waitUntil(project.has_labels, timeout=5000)
    assert np.array_equal(project.latest_labels().labels.labels, tab.box.labels().data)


def test_labels_error_is_the_trainers(training: FakeTraining) -> None:
    from napari_medpatch.annotate.sparse import SparseLabels

    with pytest.raises(LabelsError):
        list(training.fine_tune(None, SparseLabels(np.zeros((3, 3), np.uint8)), None, FakeSettings(1), out=None))


def test_saved_strokes_are_offered_on_their_own_image_only(tab: AnnotateWidget, qtbot: Any, ct_file: Path) -> None:
    (image,) = open_paths(tab.viewer, [ct_file])
    tab.box.new_labels()
    stroke(tab.box.labels(), 2, 14)
    tab.viewer.layers.clear()
    (image,) = open_paths(tab.viewer, [ct_file])
    qtbot.waitUntil(lambda: not tab.box.resume_button.isHidden(), timeout=10000)
    other = tab.viewer.add_image(np.zeros((4, 8, 8), np.float32))
    assert tab.current.layer is other
    assert tab.box.resume_button.isHidden()
    tab.viewer.layers.selection.active = image
    qtbot.waitUntil(lambda: not tab.box.resume_button.isHidden(), timeout=10000)


def test_what_is_for_slices_is_not_offered_on_photographs(tab: AnnotateWidget, photo: Any, ct_file: Path) -> None:
    open_paths(tab.viewer, [ct_file])
    assert not tab.box.paint.in_3d.isHidden()
    ((data, attributes, _),) = layer_data(photo)
    tab.viewer.add_image(data, **attributes)
    tab.box.new_labels()
    for each in (tab.box.paint.in_3d, tab.origins.slice_button, tab.between):
        assert each.isHidden()
