"""Inspector and gallery in a real window: what they show is what the model and the slide say."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from heat_layers import CPU, add_heat, click, finish_pictures, look, scored_slide
from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from window_jobs import finish

from napari_medpatch.events import run
from napari_medpatch.infer.classify import classify
from napari_medpatch.infer.explain import ExplainSettings, GradCam, explain
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.ome import read_ome_geometry
from napari_medpatch.plugin.export_widget import ExportWidget
from napari_medpatch.plugin.layers import like_source, role_of
from napari_medpatch.plugin.links import source_of
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.region_layer import region_layers
from napari_medpatch.plugin.result_docks import GALLERY, INSPECTOR, open_gallery, open_inspector
from napari_medpatch.plugin.view_place import corners_in_world, fly_to, visible_box


@pytest.fixture
def heat(viewer: Any, classifier: Any, slide_file: Path) -> Any:
    return scored_slide(viewer, slide_file, classifier)


def test_a_click_shows_pixels_scores_and_grad_cam(viewer: Any, qtbot: Any, heat: Any, classifier: Any) -> None:
    inspector = open_inspector(viewer, heat)
    result = heat.metadata["medpatch_result"]
    cell = tuple(result.grid.cells[3].tolist())
    click(viewer, heat.data_to_world(cell))
    assert inspector.cell == cell
    look(qtbot, inspector)
    box = result.grid.box(*cell)
    source = source_of(viewer.layers[0])
    np.testing.assert_array_equal(inspector.view.full, source.read(0, box))
    p = result.probabilities[cell]
    assert [bar.value() for bar in inspector.bars.bars.values()] == [round(1000 * float(v)) for v in p]
    np.testing.assert_allclose(inspector.view.probabilities, p, atol=1e-3)
    cam = GradCam(classifier, device="cpu")
    expected = cam.heat(source.read(0, box)[None], None)
    np.testing.assert_allclose(inspector.view.heat, expected.heat[0], atol=1e-5)
    assert inspector.picture.has_heat
    y, x = (start * size for start, size in zip(box.start, source.spacing.values, strict=True))
    assert f"x {x:,.1f} µm, y {y:,.1f} µm" in inspector.title.text()
    assert "layer" in inspector.said.text()
    # The frame lies around the patch and is nobody's region of interest.
    frame = inspector.frame.layer
    corners = np.array([frame.data_to_world(point) for point in frame.data[0]])
    np.testing.assert_allclose(corners, corners_in_world(viewer.layers[0], box))
    assert role_of(frame) == "selection"
    assert region_layers(viewer, viewer.layers[0]) == []
    assert len(frame.data) == 1


def test_dragging_painting_and_other_buttons_do_not_select(viewer: Any, qtbot: Any, heat: Any) -> None:
    inspector = open_inspector(viewer, heat)
    place = heat.data_to_world((2, 2))
    click(viewer, place, drag=30)
    click(viewer, place, button=2)
    labels = viewer.add_labels(np.zeros((5, 5), np.uint8))
    labels.mode = "paint"
    viewer.layers.selection.active = labels
    click(viewer, place)
    assert inspector.cell is None
    labels.mode = "pan_zoom"
    click(viewer, place, drag=2)
    assert inspector.cell == (2, 2)
    look(qtbot, inspector)
    click(viewer, heat.data_to_world((-5, 2)))
    assert inspector.cell == (2, 2), "outside the grid nothing is selected"


def test_arrow_keys_go_to_neighbours_and_controls_change_the_view(viewer: Any, qtbot: Any, heat: Any) -> None:
    inspector = open_inspector(viewer, heat)
    inspector.select((2, 2))
    qtbot.keyClick(inspector.picture, Qt.Key.Key_Right)
    qtbot.keyClick(inspector.picture, Qt.Key.Key_Down)
    assert inspector.cell == (3, 3)
    look(qtbot, inspector)
    first = inspector.view
    assert first.box == heat.metadata["medpatch_result"].grid.box(3, 3)
    other = 1 - first.class_index
    inspector.classes.setCurrentIndex(1 + other)
    look(qtbot, inspector)
    assert inspector.view.class_index == other
    assert not np.array_equal(inspector.view.heat, first.heat)
    inspector.which.setCurrentIndex(1)
    assert inspector.picture._pixels.width() == inspector.view.seen.shape[1] == 64
    inspector.opacity.setValue(80)
    assert inspector.picture.opacity == 0.8
    for _ in range(5):
        qtbot.keyClick(inspector.picture, Qt.Key.Key_Up)
    assert inspector.cell == (0, 3)
    look(qtbot, inspector)


def test_an_unknown_network_layer_is_one_sentence(viewer: Any, qtbot: Any, heat: Any, said: list[str]) -> None:
    inspector = open_inspector(viewer, heat)
    inspector.select((2, 2))
    look(qtbot, inspector)
    inspector.layer_name.setText("blocs.1")
    qtbot.keyClick(inspector.layer_name, Qt.Key.Key_Return)
    look(qtbot, inspector)
    assert "did you mean" in inspector.said.text()
    assert any("did you mean" in sentence for sentence in said)
    inspector.layer_name.setText("blocks.1")
    qtbot.keyClick(inspector.layer_name, Qt.Key.Key_Return)
    look(qtbot, inspector)
    assert inspector.view.layer == "blocks.1"


def test_partial_values_and_unscored_patches(viewer: Any, qtbot: Any, heat: Any, classifier: Any) -> None:
    """During a run there is no result yet: the layer's own values and transform must do."""
    result = heat.metadata.pop("medpatch_result")
    heat.data[0] = np.nan
    inspector = open_inspector(viewer, heat)
    inspector.select((0, 4))
    look(qtbot, inspector)
    assert inspector.view.box == result.grid.box(0, 4)
    assert "were computed now" in inspector.extras.text()
    assert sum(bar.value() for bar in inspector.bars.bars.values()) == pytest.approx(1000, abs=2)
    gallery = open_gallery(viewer, heat)
    scored = np.isfinite(heat.data)
    assert f"{scored.sum():,} patches" in gallery.title.text()
    assert all(row > 0 for row, _ in gallery.most.cells + gallery.least.cells)
    # A new best patch appears when the timer looks.
    heat.data[0, 0] = 1.0
    gallery.refresh()
    assert gallery.most.cells[0] == (0, 0)
    finish_pictures(qtbot, gallery)


def test_a_turned_slide_is_clicked_where_it_is_drawn(viewer: Any, qtbot: Any, heat: Any) -> None:
    image, result = viewer.layers[0], heat.metadata["medpatch_result"]
    image.rotate, image.translate = 20, (50, 80)
    place = like_source(image, result.grid.transform(None))
    for key in ("scale", "translate", "rotate"):
        setattr(heat, key, place[key])
    inspector = open_inspector(viewer, heat)
    y0, x0, y1, x1 = result.grid.boxes()[7]
    click(viewer, image.data_to_world(((y0 + y1) / 2, (x0 + x1) / 2)))
    assert inspector.cell == tuple(result.grid.cells[7])
    look(qtbot, inspector)
    frame = inspector.frame.layer
    found = np.array([frame.data_to_world(point) for point in frame.data[0]])
    np.testing.assert_allclose(found, corners_in_world(image, result.grid.box(*inspector.cell)))


def test_stitching_over_the_view_adds_a_map_at_its_place(
    viewer: Any, qtbot: Any, heat: Any, classifier: Any, tmp_path: Path
) -> None:
    inspector = open_inspector(viewer, heat)
    inspector.classes.setCurrentIndex(2)
    image, stitch = viewer.layers[0], inspector.stitch
    fly_to(viewer, image, heat.metadata["medpatch_result"].grid.box(3, 3))
    region = visible_box(viewer, image)
    finish(qtbot, stitch.runner, stitch.row.run_button.click)
    layer = stitch.overlay.layers[0]
    assert role_of(layer) == "grad-cam"
    with closing(open_source(source_of(image).path)) as source:
        settings = ExplainSettings(device="cpu")
        expected = run(explain(source, classifier, region, settings=settings, class_index=1))
    np.testing.assert_allclose(layer.data, expected.heat, atol=1e-5)
    np.testing.assert_allclose(layer.scale, expected.transform.scale)
    np.testing.assert_allclose(layer.translate, expected.transform.translate)
    assert tuple(layer.contrast_limits) == (0, 1)
    assert layer.metadata["medpatch"]["class_names"] == ["tumour"]
    assert "tumour" in stitch.row.message.text()
    # The Export tab writes it where it lies.
    tab = ExportWidget(viewer)
    qtbot.addWidget(tab)
    tab.choose(layer)
    tab.path.setText(str(tmp_path / "cam.ome.tiff"))
    finish(qtbot, tab.runner, tab.row.run_button.click)
    facts = read_ome_geometry(tmp_path / "cam.ome.tiff")
    assert facts.origin == pytest.approx(expected.transform.translate)
    # Over a drawn region: a triangle.
    stitch.where.setCurrentIndex(1)
    stitch.row.run_button.click()
    assert "Draw a region first" in stitch.row.message.text()
    corners = np.array([[300, 300], [300, 700], [700, 300]])
    viewer.add_shapes([corners], shape_type="polygon", scale=image.scale, units=image.units)
    finish(qtbot, stitch.runner, stitch.row.run_button.click)
    drawn = stitch.overlay.layers[0].data
    assert 0.3 < np.isfinite(drawn).mean() < 0.6


def test_stitching_stops_within_a_second(viewer: Any, qtbot: Any, heat: Any) -> None:
    inspector = open_inspector(viewer, heat)
    viewer.reset_view()
    stitch = inspector.stitch
    with qtbot.waitSignal(stitch.runner.progressed, timeout=30000):
        stitch.row.run_button.click()
    qtbot.waitUntil(lambda: bool(stitch.overlay.layers) or not stitch.runner.is_running, timeout=30000)
    began = time.monotonic()
    if stitch.runner.is_running:
        with qtbot.waitSignal(stitch.runner.idle, timeout=5000):
            stitch.row.stop_button.click()
    # A second, and one more for a machine that does other things too.
    assert time.monotonic() - began < 2
    assert stitch.row.message.text() == "Stopped; what is drawn stays."
    layer = stitch.overlay.layers[0]
    done = np.isfinite(layer.data)
    assert done.any(), "what was finished is drawn"
    assert not done.all()
    assert layer.contrast_limits[1] >= np.percentile(layer.data[done], 90)


def test_docks_are_reused_and_close_cleanly(viewer: Any, qtbot: Any, heat: Any) -> None:
    inspector, gallery = open_inspector(viewer, heat), open_gallery(viewer, heat)
    assert open_inspector(viewer, heat) is inspector
    assert open_gallery(viewer, heat) is gallery
    inspector.select((2, 2))
    assert inspector.frame.layer in viewer.layers
    viewer.layers.remove(heat)
    assert inspector.frame.layer is None
    assert not any(role_of(layer) == "selection" for layer in viewer.layers)
    assert "was removed" in inspector.title.text()
    assert "was removed" in gallery.title.text()
    assert gallery.most.count() == 0
    look(qtbot, inspector)
    finish_pictures(qtbot, gallery)
    click(viewer, (10, 10))
    assert inspector.cell is None
    viewer.window.remove_dock_widget(inspector)
    qtbot.wait(50)
    click(viewer, (10, 10))
    viewer.layers.clear()
    assert INSPECTOR not in viewer.window.dock_widgets
    assert GALLERY in viewer.window.dock_widgets


def test_hiding_the_inspector_hides_the_frame(viewer: Any, qtbot: Any, heat: Any) -> None:
    inspector = open_inspector(viewer, heat)
    inspector.select((2, 2))
    look(qtbot, inspector)
    inspector.hideEvent(QHideEvent())
    assert inspector.frame.layer is None
    click(viewer, heat.data_to_world((1, 1)))
    assert inspector.cell == (2, 2)
    inspector.showEvent(QShowEvent())
    assert inspector.frame.layer in viewer.layers
    look(qtbot, inspector)


def test_photographs_without_pixel_size_work_too(viewer: Any, qtbot: Any, classifier: Any) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    image = viewer.add_image(rgb, rgb=True)
    result = run(classify(source_of(image), classifier, CPU))
    layer = add_heat(viewer, image, classifier, result)
    inspector = open_inspector(viewer, layer)
    inspector.select((1, 2))
    look(qtbot, inspector)
    np.testing.assert_array_equal(inspector.view.full, rgb[128:256, 256:384])
    assert "x 256, y 128, 128 × 128 pixels" in inspector.title.text()
    gallery = open_gallery(viewer, layer)
    finish_pictures(qtbot, gallery)
    assert len(gallery.most.cells) + len(gallery.least.cells) == np.isfinite(layer.data).sum()


def test_a_run_under_way_can_be_looked_into(viewer: Any, qtbot: Any, classifier: Any, slide_file: Path) -> None:
    """The layers of the Classify tab, half filled by its job."""
    from napari_medpatch.events import PatchesScored
    from napari_medpatch.plugin.live_heat_map import LiveHeatMap

    open_paths(viewer, [slide_file])
    overlay = LiveHeatMap(viewer, viewer.layers[0], classifier)
    with closing(open_source(slide_file)) as source, closing(classify(source, classifier, CPU)) as job:
        scored: list[Any] = []
        for event in job:
            overlay.on_events([event])
            scored += [event] if isinstance(event, PatchesScored) else []
            if len(scored) == 5:
                break
    layer = overlay.layer_of("tumour")
    gallery, inspector = open_gallery(viewer, layer), open_inspector(viewer, layer)
    finish_pictures(qtbot, gallery)
    known = {tuple(cell) for event in scored for cell in event.cells.tolist()}
    assert set(gallery.most.cells + gallery.least.cells) <= known
    cell, box = scored[0].cells[0], scored[0].boxes[0]
    inspector.select(tuple(cell.tolist()))
    look(qtbot, inspector)
    assert (*inspector.view.box.start, *inspector.view.box.stop) == tuple(box.tolist())
    p = scored[0].probabilities[0]
    assert [bar.value() for bar in inspector.bars.bars.values()] == [round(1000 * float(v)) for v in p]
    # The layer of the other class takes over when it is selected.
    viewer.layers.selection.active = overlay.layer_of("other")
    assert inspector.heat_map.class_index == 0
    look(qtbot, inspector)
