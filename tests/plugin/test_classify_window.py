"""The Classify tab in a real window gives what the job gives, on the tissue, and stops at once."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from window_jobs import finish

from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.io.detect import open_source
from napari_medpatch.plugin.classify_widget import ClassifyWidget
from napari_medpatch.plugin.layers import role_of
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.tissue_layer import tissue_layer


@pytest.fixture
def tab(viewer: Any, qtbot: Any, classifier: Any, slide_file: Path) -> ClassifyWidget:
    widget = ClassifyWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Classify")
    open_paths(viewer, [slide_file])
    return widget


def heat_maps(viewer: Any) -> list[Any]:
    return [layer for layer in viewer.layers if role_of(layer) == "heat map"]


def test_run_shows_what_the_job_computes(
    tab: ClassifyWidget, qtbot: Any, classifier: Any, slide_file: Path, tmp_path: Path
) -> None:
    viewer = tab.viewer
    assert tab.missing() == ""
    assert tab.model.bundle().card.name == "tiny-patches"
    tab.form.folder.setText(str(tmp_path / "out"))
    finish(qtbot, tab.runner, lambda: qtbot.mouseClick(tab.row.run_button, Qt.MouseButton.LeftButton))
    with closing(open_source(slide_file)) as source:
        expected = run(classify(source, classifier, ClassifySettings()))
    maps = heat_maps(viewer)
    assert [layer.metadata["medpatch"]["class_index"] for layer in maps] == [0, 1]
    for index, layer in enumerate(maps):
        np.testing.assert_allclose(layer.data, expected.probabilities[..., index], atol=1e-5)
    assert (tmp_path / "out" / "phantom.csv").is_file()
    assert "Written to" in tab.score_note.text()
    # A cell is drawn over its patch.
    row, col = expected.grid.cells[0]
    y0, x0, y1, x1 = expected.grid.boxes()[0]
    centre = viewer.layers[0].data_to_world(((y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2))
    np.testing.assert_allclose(maps[0].data_to_world((row, col)), centre)
    # Choosing a class shows it alone.
    assert [layer.visible for layer in maps] == [False, True]
    tab.results.class_combo.setCurrentIndex(0)
    assert [layer.visible for layer in maps] == [True, False]


def test_the_corrected_tissue_mask_decides_where_the_run_looks(tab: ClassifyWidget, qtbot: Any) -> None:
    viewer = tab.viewer
    finish(qtbot, tab.tissue.runner, tab.tissue.show_button.click)
    mask = tissue_layer(viewer, tab.current.layer)
    assert mask is not None
    assert mask.data.any()
    mask.data[:] = 0
    mask.data[: mask.data.shape[0] // 2] = 1
    viewer.layers.selection.active = mask
    assert tab.current.layer is viewer.layers[0]
    finish(qtbot, tab.runner, tab.row.run_button.click)
    values = heat_maps(viewer)[0].data
    middle = values.shape[0] // 2
    assert np.isfinite(values[: middle - 1]).all()
    assert np.isnan(values[middle + 1 :]).all()


def test_stop_and_removal_end_the_job(tab: ClassifyWidget, qtbot: Any, said: list[str]) -> None:
    viewer = tab.viewer
    tab.form.overlap.setValue(0.9)
    with qtbot.waitSignal(tab.runner.progressed, timeout=30000):
        tab.row.run_button.click()
    qtbot.waitUntil(lambda: bool(heat_maps(viewer)), timeout=30000)
    with qtbot.waitSignal(tab.runner.idle, timeout=3000):
        tab.row.stop_button.click()
    kept = np.isfinite(heat_maps(viewer)[0].data).sum()
    of_it = f"Stopped at {kept:,} of {tab.overlay.total:,} patches: their scores are shown and kept;"
    assert tab.row.message.text().startswith(of_it if kept else "Stopped before the first patch was scored.")
    assert kept < heat_maps(viewer)[0].data.size
    # Removing the image drops the result of a running job, with a message.
    with qtbot.waitSignal(tab.runner.progressed, timeout=30000):
        tab.row.run_button.click()
    with qtbot.waitSignal(tab.runner.idle, timeout=10000):
        viewer.layers.clear()
    assert len(viewer.layers) == 0
    assert any("was removed, so its result is dropped" in sentence for sentence in said)
    assert "Open a slide" in tab.explanation.text()


def test_a_slide_without_pixel_size_is_refused_in_one_sentence(
    viewer: Any, qtbot: Any, classifier: Any, said: list[str]
) -> None:
    tab = ClassifyWidget(viewer)
    qtbot.addWidget(tab)
    image = viewer.add_image(np.zeros((300, 300, 3), np.uint8), rgb=True)
    from napari_medpatch.io.array_source import ArraySource
    from napari_medpatch.plugin.layers import LIVE, META, facts

    source = ArraySource(np.full((300, 300, 3), 120, np.uint8), "slide", path="bare.tiff")
    image.metadata.update({LIVE: source, META: facts(source)})
    tab.current.refresh()
    assert "pixel size of this slide is unknown" in tab.spacing_note.text()
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert "does not say how large its pixels are" in tab.row.message.text()
    assert sum("does not say how large" in sentence for sentence in said) == 1
