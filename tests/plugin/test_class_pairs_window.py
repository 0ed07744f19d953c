"""Classes of two masks that do not match: said, mended in one click, and as on the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel
from window_jobs import finish

from napari_medpatch.cli import main
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask
from napari_medpatch.plugin.class_pairs import MOST_ROWS
from napari_medpatch.plugin.evaluate_widget import EvaluateWidget
from napari_medpatch.plugin.layers import layer_data, like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to

SHAPE = (8, 20, 40)
NAMES = {
    "model": ("lungs", "", "heart"),
    "by hand": ("right lung", "left lung", "heart & great vessels of the mediastinum"),
}


def masks() -> dict[str, np.ndarray]:
    """The truth tells both lungs apart, the prediction does not, and its heart is a voxel off."""
    truth = np.zeros(SHAPE, np.uint8)
    truth[1:7, 4:16, 4:16], truth[1:7, 4:16, 24:36], truth[1:7, 6:14, 17:23] = 1, 2, 3
    prediction = np.zeros(SHAPE, np.uint8)
    prediction[(truth == 1) | (truth == 2)] = 1
    prediction[2:8, 6:14, 17:23] = 3
    return {"by hand": truth, "model": prediction}


@pytest.fixture
def source() -> ArraySource:
    affine = np.diag([-1.0, -1.0, 2.5, 1.0])
    return ArraySource(np.zeros(SHAPE, np.int16), "volume", (2.5, 1.0, 1.0), path="ct.nii.gz", affine=affine)


@pytest.fixture
def tab(viewer: Any, source: ArraySource) -> EvaluateWidget:
    widget = EvaluateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Measure")
    ((data, attributes, _),) = layer_data(source)
    image = viewer.add_image(data, **attributes)
    for name, values in masks().items():
        facts = provenance(image, "mask", class_names=list(NAMES[name]))
        belongs_to(viewer.add_labels(values, name=name, metadata=facts, **like_source(image)), image)
    widget.form.prediction.choose(viewer.layers["model"])
    widget.form.truth.choose(viewer.layers["by hand"])
    return widget


@pytest.fixture
def measured(tab: EvaluateWidget, qtbot: Any) -> EvaluateWidget:
    finish(qtbot, tab.runner, tab.row.run_button.click)
    return tab


def lists(tab: EvaluateWidget) -> dict[str, QComboBox]:
    found = tab.classes.findChildren(QComboBox)
    return {each.accessibleName(): each for each in found if each.isVisibleTo(tab.classes.section)}


def choose(tab: EvaluateWidget, side: str, value: int, target: int) -> None:
    (found,) = [
        each
        for name, each in lists(tab).items()
        if name.startswith(f"Count class {value} ") and name.endswith(f"of the {side}")
    ]
    found.setCurrentIndex(found.findData(target))


def command_line(folder: Path, source: ArraySource, *options: str) -> dict[str, Any]:
    """What the command line finds in the same masks."""
    paths = [
        write_mask(masks()[name], source, folder / f"{name}.nii.gz", class_names=NAMES[name])
        for name in ("model", "by hand")
    ]
    report = folder / "command line"
    assert main(["evaluate", *map(str, paths), "--report", str(report), "--quiet", *options]) == 0
    found: dict[str, Any] = json.loads((report / "evaluation.json").read_text(encoding="utf-8"))
    return found


def same_scores(tab: EvaluateWidget, found: dict[str, Any]) -> bool:
    own = json.loads(json.dumps(tab.results.result.to_json()))
    return all(own[key] == found[key] for key in ("classes", "mean_dice", "dice", "compared", "notes")) and (
        own["provenance"].get("class_maps") == found["provenance"].get("class_maps")
    )


def test_there_is_nothing_to_choose_before_something_is_known(tab: EvaluateWidget) -> None:
    assert tab.classes.isHidden()


def test_the_hint_stands_there_with_a_list_for_each_class(measured: EvaluateWidget) -> None:
    assert not measured.classes.isHidden()
    assert measured.classes.section.toggle.isChecked()
    assert "class 2 (left lung) of the truth is class 1" in measured.classes.hint.text()
    assert measured.classes.hint.text().endswith("and class 2 of the truth counted as 1 makes them one.")
    assert [(name, each.currentData()) for name, each in lists(measured).items()] == [
        ("Count class 1 lungs of the prediction", 1),
        ("Count class 3 heart of the prediction", 3),
        ("Count class 1 right lung of the truth", 1),
        ("Count class 2 left lung of the truth", 2),
        ("Count class 3 heart & great vessels of the mediastinum of the truth", 3),
    ]
    for each in lists(measured).values():
        assert each.toolTip()
        assert [each.itemText(index) for index in (0, each.count() - 1)] == ["1 right lung", "background"]


def test_one_click_measures_as_suggested(measured: EvaluateWidget, qtbot: Any, tmp_path: Path, source: Any) -> None:
    finish(qtbot, measured.runner, measured.classes.suggestion.click)
    assert measured.results.result.scores_of(1).overlap.dice == 1.0
    found = command_line(tmp_path, source, "--map-truth", "2=1")
    assert same_scores(measured, found)
    assert found["provenance"]["class_maps"] == {"truth": "2=1"}


def test_lists_give_what_the_command_line_gives(
    measured: EvaluateWidget, qtbot: Any, tmp_path: Path, source: ArraySource
) -> None:
    for side, value, target in (("truth", 2, 1), ("truth", 3, 2), ("prediction", 3, 2), ("prediction", 1, 0)):
        choose(measured, side, value, target)
    finish(qtbot, measured.runner, measured.row.run_button.click)
    found = command_line(tmp_path, source, "--map-truth", "2=1,3=2", "--map-prediction", "1=0,3=2")
    assert same_scores(measured, found)
    assert 0 < found["classes"]["2"]["dice"] < 1
    assert found["classes"]["1"]["predicted"] == 0
    # What was chosen stays for the next time.
    assert [each.currentData() for each in lists(measured).values()] == [0, 2, 1, 1, 2]


def test_all_classes_as_one(measured: EvaluateWidget, qtbot: Any, tmp_path: Path, source: ArraySource) -> None:
    box = measured.classes.as_one
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert not any(each.isEnabled() for each in lists(measured).values())
    finish(qtbot, measured.runner, measured.row.run_button.click)
    assert same_scores(measured, command_line(tmp_path, source, "--map-truth", "all=1", "--map-prediction", "all=1"))
    assert [each.value for each in measured.results.result.classes] == [1]
    (errors,) = (layer for layer in measured.viewer.layers if role_of(layer) == "errors")
    assert set(np.unique(errors.data)) <= {0, 1, 2}, "no voxel is of a wrong class where there is one class"
    box.click()
    finish(qtbot, measured.runner, measured.row.run_button.click)
    assert len(measured.results.result.classes) == 3


def test_the_report_says_what_classes_counted_as(measured: EvaluateWidget, qtbot: Any, tmp_path: Path) -> None:
    finish(qtbot, measured.runner, measured.classes.suggestion.click)
    finish(qtbot, measured.runner, lambda: measured.write_report(tmp_path / "out"))
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert record["provenance"]["class_maps"] == {"truth": "2=1"}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "classes of the truth counted as" in page
    assert "2=1" in page


def test_results_of_classes_that_count_otherwise_are_still_of_these_layers(
    measured: EvaluateWidget, qtbot: Any
) -> None:
    finish(qtbot, measured.runner, measured.classes.suggestion.click)
    of = measured.results.of
    with qtbot.waitSignal(of.runner.idle, timeout=30000):
        pass
    assert of.text() == "Results of model against by hand."


def test_a_suggestion_builds_on_what_was_chosen(measured: EvaluateWidget, qtbot: Any) -> None:
    for value, target in ((1, 2), (2, 3), (3, 0)):
        choose(measured, "truth", value, target)
    finish(qtbot, measured.runner, measured.row.run_button.click)
    assert "class 2 of the truth counted as 1" in measured.classes.hint.text()
    measured.classes.suggestion.click()
    measured.runner.stop()
    # The right lung counted as 2, which is to count as 1.
    assert [each.currentData() for name, each in lists(measured).items() if "truth" in name] == [1, 3, 0]
    with qtbot.waitSignal(measured.runner.idle, timeout=30000):
        pass


def test_other_layers_begin_anew(measured: EvaluateWidget, qtbot: Any) -> None:
    measured.classes.as_one.setChecked(True)
    measured.form.truth.choose(None)
    assert measured.classes.isHidden()
    assert [str(each) for each in measured.classes.maps()] == ["", ""]
    finish(qtbot, measured.runner, measured.row.run_button.click)
    assert not measured.classes.as_one.isChecked()
    assert list(lists(measured)) == [], "closed, because nothing is wrong with the classes of one mask"
    measured.classes.section.toggle.click()
    assert len(lists(measured)) == 2
    measured.classes.as_one.setChecked(True)
    finish(qtbot, measured.runner, measured.row.run_button.click)
    (row,) = measured.results.result.class_rows()
    assert row["name"] == "lungs + heart"


def test_the_tab_key_goes_from_list_to_list_in_their_order(measured: EvaluateWidget) -> None:
    section = measured.classes
    order = [section.section.toggle, section.suggestion, section.as_one, *lists(measured).values()]
    order.append(measured.row.run_button)
    chain, widget = [], measured.nextInFocusChain()
    while widget is not measured:
        chain.append(widget)
        widget = widget.nextInFocusChain()
    places = [chain.index(each) for each in order]
    assert places == sorted(places)
    assert all(each.focusPolicy() & Qt.FocusPolicy.TabFocus for each in order)


def test_it_fits_a_narrow_dock(measured: EvaluateWidget) -> None:
    assert measured.classes.minimumSizeHint().width() <= 310
    texts = [label.text() for label in measured.classes.findChildren(QLabel) if label.text().startswith("3 ")]
    assert texts[-1:] == ["3 heart && great vesse…"]


def test_more_classes_than_anybody_lists_are_still_compared_as_one(tab: EvaluateWidget, qtbot: Any) -> None:
    many = np.arange(1, MOST_ROWS + 3, dtype=np.uint8).reshape(1, 1, -1)
    layer = tab.viewer.layers["by hand"]
    values = np.zeros(SHAPE, np.uint8)
    values[:2, :1, :31] = many.reshape(2, 1, 31)
    layer.data = values
    tab.form.prediction.choose(tab.viewer.layers["model"])
    tab.form.truth.choose(layer)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    tab.classes.section.open(True)
    assert lists(tab) == {}
    assert tab.classes.suggestion.isHidden()
    tab.classes.as_one.setChecked(True)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert len(tab.results.result.classes) == 1


def test_what_was_chosen_stays_in_view_where_one_class_is_left(
    tab: EvaluateWidget, qtbot: Any, said: list[str]
) -> None:
    for name, value in (("model", 1), ("by hand", 5)):
        layer = tab.viewer.layers[name]
        layer.data = (masks()["by hand"] == 1).astype(np.uint8) * value
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert any("class 5 of the truth counted as 1" in sentence for sentence in said)
    assert not any("--map" in sentence for sentence in said)
    finish(qtbot, tab.runner, tab.classes.suggestion.click)
    assert tab.results.result.mean_dice == 1.0
    assert not tab.classes.isHidden()
    assert [each.currentData() for each in lists(tab).values()] == [1, 1]


def test_masks_of_one_class_that_agree_have_nothing_to_choose(tab: EvaluateWidget, qtbot: Any) -> None:
    for name in ("model", "by hand"):
        tab.viewer.layers[name].data = (masks()[name] == 1).astype(np.uint8)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert tab.classes.isHidden()
