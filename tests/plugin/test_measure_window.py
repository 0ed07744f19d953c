"""The Measure tab in a real window gives what the job gives; clicks move the viewer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QGuiApplication
from window_jobs import finish

from napari_medpatch.evaluate.error_map import error_map
from napari_medpatch.evaluate.evaluation import evaluate_masks
from napari_medpatch.events import run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.plugin.evaluate_widget import EvaluateWidget
from napari_medpatch.plugin.layers import layer_data, like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to


@pytest.fixture
def tab(viewer: Any) -> EvaluateWidget:
    widget = EvaluateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Measure")
    return widget


def add_image(viewer: Any, source: ArraySource) -> Any:
    ((data, attributes, _),) = layer_data(source)
    return viewer.add_image(data, **attributes)


def add_mask(viewer: Any, image: Any, values: Any, name: str, role: str = "mask", **facts: Any) -> Any:
    layer = viewer.add_labels(values, name=name, metadata=provenance(image, role, **facts), **like_source(image))
    belongs_to(layer, image)
    return layer


@pytest.fixture
def balls(tab: EvaluateWidget, volume: ArraySource) -> tuple[Any, Any, Any]:
    """A volume, the truth, and the truth moved by a voxel with a stray cube."""
    image = add_image(tab.viewer, volume)
    truth = (volume.data > 0).astype(np.uint8)
    moved = np.roll(truth, 1, 2)
    moved[1:3, 2:5, 2:5] = 1
    return (
        image,
        add_mask(tab.viewer, image, truth, "by hand", class_names=["ball"]),
        add_mask(tab.viewer, image, moved, "model", class_names=["ball"]),
    )


@pytest.fixture
def measured(tab: EvaluateWidget, balls: Any, qtbot: Any) -> EvaluateWidget:
    """The two compared."""
    _, truth, moved = balls
    tab.form.prediction.choose(moved)
    tab.form.truth.choose(truth)
    finish(qtbot, tab.runner, lambda: qtbot.mouseClick(tab.row.run_button, Qt.MouseButton.LeftButton))
    return tab


def cells(table: Any) -> list[list[str]]:
    return [
        [table.item(row, column).text() for column in range(table.columnCount())] for row in range(table.rowCount())
    ]


def test_without_a_mask_the_tab_says_what_to_do(tab: EvaluateWidget, volume: ArraySource) -> None:
    assert "no mask to measure" in tab.explanation.text()
    image = add_image(tab.viewer, volume)
    assert not tab.form.isEnabled()
    assert not tab.row.isEnabled()
    add_mask(tab.viewer, image, np.zeros(volume.data.shape, np.uint8), "empty")
    assert tab.explanation.text() == ""
    assert tab.form.isEnabled()
    assert tab.row.isEnabled()


def test_the_window_shows_what_the_job_computes(measured: EvaluateWidget, balls: Any) -> None:
    _, truth, moved = balls
    expected = run(evaluate_masks(moved.data, truth.data, spacing=(2.5, 1.0, 1.0), class_names=("ball",)))
    found = measured.results.result
    assert found.class_rows() == expected.class_rows()
    assert [row["status"] for row in found.object_rows()] == ["detected", "false positive"]
    assert f"{expected.classes[0].overlap.dice:.3f}" in cells(measured.results.classes)[0]
    assert "mean Dice" in measured.row.message.text()
    assert found.provenance["prediction"] == "model"
    assert found.provenance["truth"] == "by hand"


def test_errors_lie_on_the_image_and_are_replaced(measured: EvaluateWidget, balls: Any, qtbot: Any) -> None:
    image, truth, moved = balls
    (layer,) = (layer for layer in measured.viewer.layers if role_of(layer) == "errors")
    assert np.array_equal(layer.data, error_map(moved.data, truth.data))
    assert layer.data.dtype == np.uint8
    np.testing.assert_allclose(layer.data_to_world((3, 5, 7)), image.data_to_world((3, 5, 7)))
    assert layer.units == image.units
    assert layer.metadata["medpatch"]["class_names"] == ["false positive", "false negative", "wrong class"]
    assert "orange" in measured.legend.text()
    # The masks would hide it.
    assert (moved.visible, truth.visible) == (False, False)
    measured.errors_box.setChecked(False)
    assert (layer.visible, moved.visible, truth.visible) == (False, True, True)
    truth.visible = False
    measured.errors_box.setChecked(True)
    assert (layer.visible, moved.visible, truth.visible) == (True, False, False)
    measured.errors_box.setChecked(False)
    assert (moved.visible, truth.visible) == (True, False), "what the user hid stays hidden"
    measured.errors_box.setChecked(True)
    # It is neither offered as a mask nor piled up by a second run.
    assert layer not in measured.form.prediction._layers + measured.form.truth._layers
    moved.data = truth.data.copy()
    finish(qtbot, measured.runner, measured.row.run_button.click)
    assert [each for each in measured.viewer.layers if role_of(each) == "errors"] == [layer]
    assert not layer.data.any()
    assert measured.results.result.mean_dice == 1.0


def test_a_click_on_the_curve_goes_to_the_slice(measured: EvaluateWidget, qtbot: Any) -> None:
    viewer, results = measured.viewer, measured.results
    for axis in (2, 1, 0):
        results.axis_combo.setCurrentIndex(axis)
        assert len(results.plot.values) == (12, 32, 40)[axis]
        results.plot.clicked.emit(5)
        assert viewer.dims.current_step[axis] == 5
        assert viewer.dims.order[0] == axis
        assert results.plot.line.value() == 5
        viewer.dims.set_current_step(axis, 7)
        assert results.plot.line.value() == 7
    measured.resize(420, 1400)
    qtbot.wait(100)
    _click_at(qtbot, results.plot.chart(), 8.2, 0.5)
    assert viewer.dims.current_step[0] == 8
    # Keys go past the plot: it came later than the order in which the Tab key visits controls.
    assert results.plot.chart().focusPolicy() == Qt.FocusPolicy.NoFocus
    results.worst_button.click()
    curve = results.result.curve(1, 0)
    assert curve[viewer.dims.current_step[0]] == np.nanmin(curve)


def _click_at(qtbot: Any, plot: Any, x: float, y: float) -> None:
    scene = plot.getViewBox().mapViewToScene(QPointF(x, y))
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=plot.mapFromScene(scene))


def test_a_row_flies_to_its_object(measured: EvaluateWidget) -> None:
    results, viewer = measured.results, measured.viewer
    table = results.objects
    table.sortItems(table.columns.index("status"), Qt.SortOrder.DescendingOrder)
    assert "false positive" in cells(table)[0]
    table.cellClicked.emit(0, 0)
    assert viewer.dims.current_step[0] in (1, 2)
    assert viewer.dims.current_step[1:] == (3, 3)
    np.testing.assert_allclose(viewer.camera.center[-2:], (3.0, 3.0))
    viewer.dims.ndisplay = 3
    table.cellActivated.emit(1, 0)
    found = results.result.object_rows()[0]
    np.testing.assert_allclose(viewer.camera.center, (found["z_mm"], found["y_mm"], found["x_mm"]), rtol=1e-5)


def test_tables_sort_by_number_and_copy_in_full(measured: EvaluateWidget) -> None:
    table = measured.results.objects
    column = table.columns.index("true_ml")
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        table.sortItems(column, order)
        values = [float(cell[column]) for cell in cells(table)]
        assert values == sorted(values, reverse=order == Qt.SortOrder.DescendingOrder)
    table.copy()
    lines = [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()]
    assert lines[0][column] == "True (ml)"
    expected = {str(row["true_ml"]) for row in measured.results.result.object_rows()}
    assert {line[column] for line in lines[1:]} == expected


def test_without_truth_volumes_and_hu(tab: EvaluateWidget, balls: Any, qtbot: Any) -> None:
    _, truth, _ = balls
    tab.form.prediction.choose(truth)
    tab.form.truth.choose(None)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    (row,) = tab.results.result.class_rows()
    assert row["volume_ml"] == pytest.approx(np.count_nonzero(truth.data) * 2.5 / 1000)
    assert row["mean_HU"] == 40.0
    assert tab.errors_box.isHidden()
    assert not any(role_of(layer) == "errors" for layer in tab.viewer.layers)
    assert tab.results.plot.values.max() > 1


def test_painted_labels_are_a_truth_where_they_are(tab: EvaluateWidget, balls: Any, qtbot: Any) -> None:
    image, truth, moved = balls
    sparse = np.zeros_like(truth.data)
    sparse[6] = truth.data[6] + 1
    strokes = add_mask(tab.viewer, image, sparse, "strokes", "sparse labels", class_names=["background", "ball"])
    tab.form.prediction.choose(moved)
    tab.form.truth.choose(strokes)
    assert tab.form.truth.layer() is strokes
    finish(qtbot, tab.runner, tab.row.run_button.click)
    result = tab.results.result
    assert result.compared == sparse[6].size
    assert result.classes[0].name == "ball"
    assert np.flatnonzero(~np.isnan(result.curve(1, 0))).tolist() == [6]


def test_layers_on_other_grids_are_refused_in_a_sentence(tab: EvaluateWidget, balls: Any, said: list[str]) -> None:
    image, truth, moved = balls
    other = add_mask(tab.viewer, image, truth.data[:-1].copy(), "short")
    far = add_mask(tab.viewer, image, truth.data.copy(), "far")
    far.translate = (0, 3, 0)
    tab.form.prediction.choose(moved)
    tab.form.truth.choose(moved)
    tab.row.run_button.click()
    assert "same layer" in tab.row.message.text()
    for wrong, words in ((other, "40 × 32 × 11"), (far, "3 pixels apart")):
        tab.form.prediction.choose(moved)
        tab.form.truth.choose(wrong)
        tab.row.run_button.click()
        assert words in tab.row.message.text()
        assert said[-1] == tab.row.message.text()
        assert not tab.runner.is_running


def test_millimetres_and_micrometres_may_meet(tab: EvaluateWidget, volume: ArraySource, qtbot: Any) -> None:
    values = (volume.data > 0).astype(np.uint8)
    tab.viewer.add_labels(values, name="a", scale=(2.5, 1, 1), units=("mm",) * 3)
    tab.viewer.add_labels(values, name="b", scale=(2500, 1000, 1000), units=("um",) * 3)
    tab.form.truth.choose(tab.viewer.layers["a"])
    tab.form.prediction.choose(tab.viewer.layers["b"])
    assert tab.form.tolerance.suffix() == " µm"
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert tab.results.result.classes[0].overlap.dice == 1.0
    assert tab.results.result.units.spacing == pytest.approx((2500, 1000, 1000))


def test_a_truth_from_a_file(tab: EvaluateWidget, balls: Any, qtbot: Any, tmp_path: Path, volume: ArraySource) -> None:
    from napari_medpatch.io.export import write_mask

    image, truth, moved = balls
    path = write_mask(truth.data, volume, tmp_path / "truth.nii.gz", class_names=("ball",))
    tab.form.prediction.choose(moved)
    finish(qtbot, tab.runner, lambda: tab.load_truth(path))
    layer = tab.form.truth.layer()
    assert role_of(layer) == "truth"
    assert np.array_equal(layer.data, truth.data)
    assert layer.metadata["medpatch"]["class_names"] == ["ball"]
    np.testing.assert_allclose(layer.data_to_world((3, 5, 7)), image.data_to_world((3, 5, 7)))
    (tmp_path / "no.nii.gz").write_bytes(b"")
    finish(qtbot, tab.runner, lambda: tab.load_truth(tmp_path / "no.nii.gz"))
    assert "empty" in tab.row.message.text()


def test_report_of_the_window(measured: EvaluateWidget, qtbot: Any, tmp_path: Path) -> None:
    finish(qtbot, measured.runner, lambda: measured.write_report(tmp_path / "out"))
    assert measured.report_path == tmp_path / "out" / "report.html"
    assert not measured.open_button.isHidden()
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert record["classes"]["1"]["dice"] == measured.results.result.classes[0].overlap.dice
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").count("data:image/png") == 18
    (tmp_path / "file").write_text("in the way")
    finish(qtbot, measured.runner, lambda: measured.write_report(tmp_path / "file"))
    assert "in the way" in measured.row.message.text()


def test_stopping_and_removing_layers_leave_the_tables(measured: EvaluateWidget, qtbot: Any) -> None:
    results = measured.results
    before = results.result
    measured.row.run_button.click()
    measured.runner.stop()
    with qtbot.waitSignal(measured.runner.idle, timeout=30000):
        pass
    assert measured.row.message.text() == "Stopped; what was measured before stays."
    assert results.result is before
    assert results.of.text() == "Results of model against by hand."
    measured.viewer.layers.remove("by hand")
    assert results.of.text().endswith("The truth was removed since; these are the values of before.")
    assert not measured.errors_box.isHidden()
    measured.viewer.layers.clear()
    assert "The prediction and the truth were removed since" in results.of.text()
    assert measured.errors_box.isHidden()
    assert not results.worst_button.isEnabled()
    assert "fly" not in results.objects_title.text()
    assert measured.report_button.isEnabled()
    assert results.classes.isEnabled()
    assert not measured.row.run_button.isEnabled()
    results.plot.clicked.emit(3)
    results.worst_button.click()
    results.objects.cellClicked.emit(0, 0)
    measured.errors_box.toggle()
    measured.row.run_button.click()
    assert results.classes.rowCount() == 1
    assert "no mask" in measured.explanation.text()


def test_a_mask_that_was_painted_since_is_called_changed(measured: EvaluateWidget, balls: Any, qtbot: Any) -> None:
    _, truth, moved = balls
    of = measured.results.of
    moved.name = "second reader"
    assert of.text() == "Results of second reader against by hand."
    moved.paint((6, 3, 3), 1)
    qtbot.waitUntil(lambda: of.text().endswith("The prediction was changed since: measure again."), timeout=10000)
    moved.undo()
    # napari says nothing of a layer that is hidden, as masks are while errors are marked.
    measured.errors_box.setChecked(False)
    qtbot.waitUntil(lambda: of.text() == "Results of second reader against by hand.", timeout=10000)
    truth.data[0, 0, 0] = 1
    truth.refresh()
    qtbot.waitUntil(lambda: of.text().endswith("The truth was changed since: measure again."), timeout=10000)
    finish(qtbot, measured.runner, measured.row.run_button.click)
    assert of.text() == "Results of second reader against by hand."


def test_pictures_and_slides_are_measured_in_their_units(tab: EvaluateWidget, photo: ArraySource, qtbot: Any) -> None:
    image = add_image(tab.viewer, photo)
    mask = (photo.data[..., 0] < 200).astype(np.uint8)
    layer = add_mask(tab.viewer, image, mask, "disc")
    add_mask(tab.viewer, image, np.roll(mask, 2, 1), "moved")
    tab.form.prediction.choose(tab.viewer.layers["moved"])
    tab.form.truth.choose(layer)
    assert tab.form.tolerance.suffix() == " px"
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert tab.results.result.class_rows()[0]["hd_px"] == 2.0
    assert tab.results.axis_combo.count() == 2
    tab.results.plot.clicked.emit(10)


def test_the_newest_mask_is_proposed_until_one_is_chosen(tab: EvaluateWidget, said: list[str], qtbot: Any) -> None:
    first = tab.viewer.add_labels(np.zeros((20, 30), np.uint8), name="first")
    assert tab.form.prediction.layer() is first
    second = tab.viewer.add_labels(np.zeros((20, 30), np.uint8), name="second")
    assert tab.form.prediction.layer() is second
    tab.form.prediction.choose(first)
    tab.viewer.add_labels(np.zeros((20, 30), np.uint8), name="third")
    assert tab.form.prediction.layer() is first
    tab.viewer.layers.remove(first)
    assert tab.form.prediction.layer().name == "third"
    assert tab.form.truth.layer() is None
    # Labels of single objects are no classes, and the sentence says so.
    tab.viewer.add_labels(np.arange(600, dtype=np.int32).reshape(20, 30), name="cells")
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert "599" in tab.row.message.text()


def test_errors_stay_with_a_mask_that_is_renamed(measured: EvaluateWidget, balls: Any, qtbot: Any) -> None:
    _, _, moved = balls
    (layer,) = (each for each in measured.viewer.layers if role_of(each) == "errors")
    moved.name = "second reader"
    measured.errors_box.setChecked(False)
    assert not layer.visible
    measured.errors_box.setChecked(True)
    finish(qtbot, measured.runner, measured.row.run_button.click)
    assert [each for each in measured.viewer.layers if role_of(each) == "errors"] == [layer]
