"""The Clean up box in a real window: steps, what they changed, undo and redo, classes after a split."""

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from window_jobs import finish

from napari_medpatch.infer.clean.history import CleanRecord
from napari_medpatch.infer.clean.job import CleanResult, clean, clean_up
from napari_medpatch.infer.clean.registry import parse_steps
from napari_medpatch.plugin.clean_box import CleanBox
from napari_medpatch.plugin.clean_layers import CHANGE, class_names, history
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.layers import layer_data, like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to
from napari_medpatch.plugin.segment_widget import SegmentWidget

VOXEL = (2.5, 1.0, 1.0)


def two_balls() -> np.ndarray:
    z, y, x = np.mgrid[:12, :32, :40]
    mask = np.zeros((12, 32, 40), np.uint8)
    for centre in (10, 30):
        mask[((z - 6) * 2.5) ** 2 + (y - 16) ** 2 + (x - centre) ** 2 < 70] = 1
    mask[6, 16, 10] = 0
    mask[1, 2, 3] = 1
    return mask


@pytest.fixture
def mask(viewer: Any, volume: Any) -> Any:
    """A mask of the current image, with a hole and a crumb."""
    from napari.layers import Labels

    ((data, attributes, _),) = layer_data(volume)
    image = viewer.add_image(data, **attributes)
    facts = provenance(image, "mask", class_names=["lung"], provenance={"model": "m"})
    layer = Labels(two_balls(), name="mask", metadata=facts, **like_source(image))
    belongs_to(layer, image)
    viewer.add_layer(layer)
    return layer


@pytest.fixture
def box(viewer: Any, mask: Any, qtbot: Any) -> CleanBox:
    widget = CleanBox(CurrentImage(viewer))
    widget.open(True)
    viewer.window.add_dock_widget(widget, name="Clean up")
    return widget


def do(qtbot: Any, box: CleanBox, button: Any) -> None:
    """Click, and wait until the change is written."""
    finish(qtbot, box.writer, lambda: qtbot.mouseClick(button, Qt.MouseButton.LeftButton))


def test_apply_gives_what_the_job_gives_and_says_what_changed(box: CleanBox, mask: Any, qtbot: Any) -> None:
    before = mask.data.copy()
    box.steps.show_steps(parse_steps(["drop:0.01ml", "fill-holes"]))
    expected, _ = clean(before, ["drop:0.01ml", "fill-holes"], voxel=VOXEL, class_names=["lung"])
    array = mask.data
    do(qtbot, box, box.row.run_button)
    assert mask.data is array
    assert np.array_equal(mask.data, expected)
    assert "drop:0.01ml: lung −0.0025 ml" in box.changes.text()
    assert "fill-holes: lung +0.0025 ml" in box.changes.text()
    assert box.row.message.text().startswith("Cleaned mask in")
    record = mask.metadata["medpatch"]["provenance"]["clean_up"][0]
    assert [step["step"] for step in record["steps"]] == ["drop:0.01ml", "fill-holes"]
    assert mask.metadata["medpatch"]["provenance"]["model"] == "m"


def test_undo_and_redo_go_through_all_clean_ups_exactly(box: CleanBox, mask: Any, qtbot: Any) -> None:
    states = [mask.data.copy()]
    for step in ("fill-holes", "largest:1", "grow:2mm"):
        box.steps.show_steps(parse_steps([step]))
        do(qtbot, box, box.row.run_button)
        states.append(mask.data.copy())
    assert "grow:2mm" in box.undo_button.toolTip()
    assert not box.redo_button.isEnabled()
    for wanted in reversed(states[:-1]):
        do(qtbot, box, box.undo_button)
        assert np.array_equal(mask.data, wanted)
    assert not box.undo_button.isEnabled()
    assert mask.metadata["medpatch"]["provenance"]["clean_up"] == []
    for wanted in states[1:]:
        do(qtbot, box, box.redo_button)
        assert np.array_equal(mask.data, wanted)


def test_undo_keeps_what_was_painted_since(box: CleanBox, mask: Any, qtbot: Any) -> None:
    before = mask.data.copy()
    box.steps.show_steps(parse_steps(["drop:0.01ml"]))
    do(qtbot, box, box.row.run_button)
    mask.data_setitem((np.array([1]), np.array([2]), np.array([3])), 1)
    mask.data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    mask.data_setitem((np.array([1]), np.array([2]), np.array([3])), 4)
    do(qtbot, box, box.undo_button)
    assert mask.data[1, 2, 3] == 4
    assert mask.data[0, 0, 0] == 1
    assert "1 voxels that you painted since stay" in box.row.message.text()
    mask.data[1, 2, 3], mask.data[0, 0, 0] = 1, 0
    assert np.array_equal(mask.data, before)


def test_a_split_gives_two_classes_with_colours_and_undo_takes_them_back(box: CleanBox, mask: Any, qtbot: Any) -> None:
    box.steps.show_steps(parse_steps(["split-left-right"]))
    do(qtbot, box, box.row.run_button)
    assert class_names(mask) == ("right lung", "left lung")
    assert set(np.unique(mask.data)) == {0, 1, 2}
    assert mask.data[6, 16, 31] == 2
    colours = mask.colormap.color_dict
    assert not np.array_equal(colours[1], colours[2])
    assert [box.steps.rows[0].of.itemData(k) for k in range(3)] == ["", "right lung", "left lung"]
    do(qtbot, box, box.undo_button)
    assert class_names(mask) == ("lung",)
    assert set(np.unique(mask.data)) == {0, 1}


def test_preview_changes_nothing_and_shows_what_would_change(box: CleanBox, mask: Any, qtbot: Any, viewer: Any) -> None:
    before = mask.data.copy()
    box.steps.show_steps(parse_steps(["drop:0.01ml", "fill-holes"]))
    finish(qtbot, box.runner, lambda: qtbot.mouseClick(box.preview_button, Qt.MouseButton.LeftButton))
    (preview,) = [layer for layer in viewer.layers if role_of(layer) == CHANGE]
    assert np.array_equal(mask.data, before)
    assert preview.data[6, 16, 10] == 1
    assert preview.data[1, 2, 3] == 2
    assert np.count_nonzero(preview.data) == 2
    np.testing.assert_allclose(preview.data_to_world((3, 5, 7)), mask.data_to_world((3, 5, 7)))
    assert "drop:0.01ml" in box.changes.text()
    assert box.mask.layer() is mask
    do(qtbot, box, box.row.run_button)
    assert preview not in viewer.layers


def test_steps_can_be_switched_off_reordered_and_typed_wrongly(box: CleanBox, mask: Any, qtbot: Any) -> None:
    box.steps.show_steps(parse_steps(["grow:1mm", "largest:1"]))
    box.steps.rows[1].up.click()
    assert [row.text() for row in box.steps.rows] == ["largest:1", "grow:1mm"]
    box.steps.rows[1].use.setChecked(False)
    assert [str(step) for step in box.steps.steps()] == ["largest:1"]
    box.steps.rows[0].argument.setText("many")
    box.apply()
    assert "how many pieces" in box.row.message.text()
    assert not box.runner.is_running
    box.steps.rows[0].remove.click()
    box.apply()
    assert "Switch a step on" in box.row.message.text()


def test_the_list_of_steps_is_there_again_next_time(box: CleanBox, viewer: Any) -> None:
    box.steps.show_steps(parse_steps(["smooth:2mm", "drop:1ml@lung"]))
    box.steps.rows[0].use.click()
    again = CleanBox(CurrentImage(viewer))
    assert again.steps.texts() == ["#smooth:2mm", "drop:1ml@lung"]
    again.deleteLater()


def test_a_step_is_added_from_the_list(box: CleanBox) -> None:
    box.steps.show_steps(())
    index = box.steps.add_list.findData("close")
    box.steps.add_list.setCurrentIndex(index)
    box.steps.add_list.activated.emit(index)
    assert box.steps.texts() == ["close:2mm"]
    assert box.steps.add_list.currentIndex() == 0


def test_a_step_that_does_not_fit_is_refused_in_a_sentence(
    box: CleanBox, mask: Any, qtbot: Any, said: list[str]
) -> None:
    before = mask.data.copy()
    box.steps.show_steps(parse_steps(["drop:5um2"]))
    finish(qtbot, box.runner, lambda: qtbot.mouseClick(box.row.run_button, Qt.MouseButton.LeftButton))
    assert "give it in ml" in box.row.message.text()
    assert np.array_equal(mask.data, before)
    assert history(mask).done == []


def test_labels_of_other_origin_can_be_cleaned(box: CleanBox, viewer: Any, qtbot: Any) -> None:
    labels = viewer.add_labels(two_balls().astype(np.int32) * 3, name="from elsewhere")
    assert box.mask.layer() is labels
    box.steps.show_steps(parse_steps(["largest:1"]))
    do(qtbot, box, box.row.run_button)
    assert labels.data.dtype == np.int32
    assert set(np.unique(labels.data)) == {0, 3}
    assert class_names(labels) == ("class 1", "class 2", "class 3")


def test_the_selected_mask_is_the_one_that_is_cleaned(box: CleanBox, viewer: Any, mask: Any) -> None:
    other = viewer.add_labels(two_balls(), name="other")
    assert box.mask.layer() is other
    viewer.layers.selection.active = mask
    assert box.mask.layer() is mask
    viewer.layers.remove(mask)
    assert box.mask.layer() is other


def test_what_a_model_cleans_is_shown_can_be_copied_and_undone(viewer: Any, mask: Any, qtbot: Any, unet: Any) -> None:
    from dataclasses import replace

    tab = SegmentWidget(viewer)
    viewer.window.add_dock_widget(tab, name="Segment")
    box = tab.clean_box
    card = replace(unet.card, postprocess={"min_component_ml": 0.01, "fill_holes": True, "air_edge_hu": -500})
    box.rules.show_model(card)
    assert box.rules.list.text() == "drop:0.01ml, fill-holes, edge of air at -500 HU"
    box.steps.show_steps(())
    box.rules.copy_button.click()
    assert box.steps.texts() == ["drop:0.01ml", "fill-holes"]
    box.rules.show_model(unet.card)
    assert "cleans nothing" in box.rules.list.text()

    before = mask.data.copy()
    result: CleanResult = list(clean_up(VOXEL, before, ["fill-holes"], class_names=["lung"]))[-1].result
    mask.data[...] = result.mask
    box.take_run(mask, result.undo)
    do(qtbot, box, box.undo_button)
    assert np.array_equal(mask.data, before)
    box.take_run(mask, None)
    assert not box.undo_button.isEnabled()
    assert isinstance(result.undo, CleanRecord)


def test_the_preview_of_a_renamed_mask_goes_when_it_is_cleaned(box: CleanBox, mask: Any, qtbot: Any) -> None:
    box.steps.show_steps(parse_steps(["drop:1ml"]))
    finish(qtbot, box.runner, box.preview)
    (change,) = [layer for layer in box.viewer.layers if role_of(layer) == CHANGE]
    assert change.metadata["medpatch"]["source"] == mask.metadata["medpatch"]["source"]
    mask.name = "lungs of Tuesday"
    finish(qtbot, box.writer, box.apply)
    assert change not in box.viewer.layers
