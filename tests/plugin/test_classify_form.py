"""The form of the Classify tab: what is chosen is what the command line would run, and it is remembered."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from window_jobs import finish

from napari_medpatch.errors import GeometryError
from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.patches.presets import TILINGS
from napari_medpatch.patches.roi import Region
from napari_medpatch.plugin.classify_form import ClassifyForm
from napari_medpatch.plugin.classify_widget import ClassifyWidget
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.layers import layer_data, role_of
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.settings import preference
from napari_medpatch.plugin.tissue_layer import tissue_layer
from napari_medpatch.plugin.unfinished import unfinished_folder


@pytest.fixture
def form(qtbot: Any) -> ClassifyForm:
    return new_form(qtbot)


def new_form(qtbot: Any) -> ClassifyForm:
    viewer = ViewerModel()
    source = ArraySource(np.zeros((60, 80, 3), np.uint8), "slide", spacing=(0.5, 0.5), path="slide.tiff")
    ((data, attributes, _),) = layer_data(source)
    viewer.add_image(data, **attributes)
    widget = ClassifyForm(viewer, CurrentImage(viewer))
    qtbot.addWidget(widget)
    return widget


def test_untouched_it_is_what_the_command_line_does(form: ClassifyForm) -> None:
    assert form.settings() == ClassifySettings()
    assert form.region.region() is None
    assert form.more.body.isHidden()
    form.more.toggle.click()
    assert not form.more.body.isHidden()


def test_every_choice_reaches_the_run_and_the_next_start(form: ClassifyForm, qtbot: Any) -> None:
    form.step.choose("stride")
    form.step.numbers["stride"].setValue(32)
    form.rule.choose("share")
    form.rule.numbers["share"].setValue(0.25)
    form.tiling.setCurrentIndex(form.tiling.findData("strip"))
    form.tta.setValue(4)
    form.dropout.setValue(9)
    form.compress.setChecked(True)
    form.top_k.setValue(25)
    form.device.setCurrentIndex(form.device.findData("cpu"))
    form.precision.setCurrentIndex(form.precision.findData("float32"))
    expected = ClassifySettings(
        stride_um=32.0, min_tissue=0.25, tiling="strip", tta=4, mc_dropout=9, compress=True, top_k=25,
        device="cpu", precision="float32",
    )  # fmt: skip
    assert form.settings() == expected
    assert form.tissue_method() == TILINGS["strip"].tissue
    assert new_form(qtbot).settings() == expected
    form.step.choose("overlap")
    form.overlap.setValue(-1.5)
    assert form.settings() == replace(expected, stride_um=None, overlap=-1.5)
    assert preference("classify", "overlap") == -1.5
    # WSInfer's path has one way to look at a patch.
    form.exact.setChecked(True)
    assert not form.tta.isEnabled()
    assert form.settings() == replace(expected, stride_um=None, overlap=-1.5, exact=True, tta=0)
    form.exact.setChecked(False)
    assert form.settings().tta == 4


def test_ranges_are_those_of_the_job(form: ClassifyForm) -> None:
    assert (form.tta.minimum(), form.tta.maximum()) == (0, 16)
    assert (form.dropout.minimum(), form.dropout.maximum()) == (0, 50)
    assert form.overlap.minimum() < 0 < form.overlap.maximum() < 1
    assert {form.tiling.itemData(index) for index in range(form.tiling.count())} == set(TILINGS)


def test_an_empty_region_is_a_sentence(form: ClassifyForm) -> None:
    form.region.draw_button.click()
    layer = form.region.layer()
    assert layer is not None
    assert layer in form.region.viewer.layers
    with pytest.raises(GeometryError, match="encloses no area"):
        form.region.region()
    layer.add_rectangles(np.array([[10, 10], [30, 40]]))
    assert isinstance(form.region.region(), Region)
    layer.name = "hot spot"
    assert form.region.choice.currentText() == "hot spot"
    form.region.viewer.layers.remove(layer)
    assert form.region.layer() is None
    assert form.region.choice.count() == 1


@pytest.fixture
def tab(viewer: Any, qtbot: Any, classifier: Any, slide_file: Path) -> ClassifyWidget:
    widget = ClassifyWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Classify")
    open_paths(viewer, [slide_file])
    return widget


def heat(viewer: Any) -> Any:
    return next(layer for layer in viewer.layers if role_of(layer) == "heat map")


def test_a_drawn_region_limits_the_run_as_the_job_does(tab: ClassifyWidget, qtbot: Any, classifier: Any) -> None:
    viewer, image = tab.viewer, tab.current.layer
    height, width = tab.current.live.levels[0].shape
    corners = np.array([[0.0, 0.0], [0.0, 0.6 * width], [0.5 * height, 0.6 * width], [0.5 * height, 0.0]])
    # Anybody's layer, in µm, moved: only its place in the window counts.
    shapes = viewer.add_shapes(
        [corners * image.scale - 7], shape_type="polygon", translate=(7, 7), units=image.units, name="mine"
    )
    tab.form.region.choice.setCurrentIndex(1)
    assert tab.form.region.layer() is shapes
    finish(qtbot, tab.runner, tab.row.run_button.click)
    region = Region((corners + 0.5,))
    expected = run(classify(tab.current.live, classifier, tab.form.settings(), roi=region))
    found = tab.overlay.result
    assert 0 < len(found.grid.cells) < found.grid.rows * found.grid.cols
    np.testing.assert_array_equal(np.isfinite(found.probabilities), np.isfinite(expected.probabilities))
    assert tab.results.table.rowCount() == 2


@pytest.mark.parametrize("folder", ["out", ""])
def test_stop_then_run_goes_on_and_ends_like_an_unbroken_run(
    tab: ClassifyWidget, qtbot: Any, classifier: Any, tmp_path: Path, folder: str
) -> None:
    tab.form.folder.setText(str(tmp_path / folder) if folder else "")
    tab.form.overlap.setValue(0.75)

    def stop_soon(_events: list[Any]) -> None:
        if tab.overlay.tally is not None and tab.overlay.tally.scored:
            tab.runner.stop()

    tab.runner.progressed.connect(stop_soon)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    tab.runner.progressed.disconnect(stop_soon)
    stopped = tab.overlay
    assert 0 < stopped.tally.scored < stopped.total
    assert stopped.result.score["patches"] == stopped.tally.scored
    done: list[int] = []
    tab.runner.progressed.connect(lambda events: done.extend(e.done for e in events if hasattr(e, "total")))
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert done[0] >= stopped.tally.scored
    unbroken = run(classify(tab.current.live, classifier, tab.form.settings()))
    np.testing.assert_allclose(tab.overlay.result.probabilities, unbroken.probabilities, atol=1e-6)
    assert not any(layer in tab.viewer.layers for layer in stopped.layers)
    assert not unfinished_folder(tab.current.live, classifier.card.name).exists()
    assert tab.results.title.text().endswith(f"{tab.overlay.total:,} patches scored")


def test_a_corrected_tissue_mask_comes_back_with_the_image(tab: ClassifyWidget, qtbot: Any, slide_file: Path) -> None:
    from napari_medpatch.patches.kept_tissue import forget_tissue, keep_edited_tissue
    from napari_medpatch.patches.tissue import TissueMask

    viewer, source = tab.viewer, tab.current.live
    finish(qtbot, tab.tissue.runner, tab.tissue.show_button.click)
    found = tissue_layer(viewer, tab.current.layer)
    corrected = np.zeros_like(found.data)
    corrected[: len(corrected) // 2] = 1
    keep_edited_tissue(source, TissueMask(corrected > 0, tuple(found.metadata["medpatch"]["downsample"])))
    viewer.layers.clear()
    try:
        with qtbot.waitSignal(tab.tissue.runner.idle, timeout=20000):
            open_paths(viewer, [slide_file])
        again = tissue_layer(viewer, tab.current.layer)
        assert np.array_equal(again.data, corrected)
        assert "as you corrected it" in tab.tissue.note.text()
        finish(qtbot, tab.tissue.runner, tab.tissue.again_button.click)
        anew = tissue_layer(viewer, tab.current.layer)
        assert not np.array_equal(anew.data, corrected)
        assert "paint or erase" in tab.tissue.note.text()
    finally:
        forget_tissue(source)
