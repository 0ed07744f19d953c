"""The gallery in a real window: both ends of the order, and flights to patches."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from heat_layers import add_heat, finish_pictures, look, scored_slide
from qtpy.QtCore import Qt

from napari_medpatch.events import run
from napari_medpatch.geometry import Box
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.infer.gallery import most_and_least, thumbnail
from napari_medpatch.io.detect import open_source
from napari_medpatch.patches.roi import Region
from napari_medpatch.plugin.links import source_of
from napari_medpatch.plugin.result_docks import INSPECTOR, open_gallery, open_inspector
from napari_medpatch.plugin.view_place import corners_in_world, fly_to, visible_box


@pytest.fixture
def heat(viewer: Any, classifier: Any, slide_file: Path) -> Any:
    return scored_slide(viewer, slide_file, classifier)


def test_the_gallery_shows_both_ends_and_flies(viewer: Any, qtbot: Any, heat: Any) -> None:
    gallery = open_gallery(viewer, heat)
    gallery.count.setValue(5)
    finish_pictures(qtbot, gallery)
    result = heat.metadata["medpatch_result"]
    expected = most_and_least(result, 1, 5)
    assert gallery.most.cells == [tuple(cell) for cell in expected.most.cells.tolist()]
    assert gallery.least.cells == [tuple(cell) for cell in expected.least.cells.tolist()]
    assert gallery.most.item(0).text() == f"{expected.most.values[0]:.3f}"
    assert set(gallery.pictures) >= set(gallery.most.cells + gallery.least.cells)
    # Enter on the third of them: the camera is there, and the inspector too.
    gallery.least.setFocus()
    gallery.least.setCurrentRow(2)
    qtbot.keyClick(gallery.least, Qt.Key.Key_Return)
    cell = gallery.least.cells[2]
    centre = corners_in_world(viewer.layers[0], result.grid.box(*cell)).mean(axis=0)
    np.testing.assert_allclose(viewer.camera.center[-2:], centre)
    inspector = viewer.window.dock_widgets[INSPECTOR]
    assert inspector.cell == cell
    look(qtbot, inspector)
    # Another class turns the order round.
    gallery.class_combo.setCurrentIndex(0)
    assert gallery.most.cells == [tuple(cell) for cell in most_and_least(result, 0, 5).most.cells.tolist()]
    finish_pictures(qtbot, gallery)


def test_a_double_click_chooses_and_extras_can_order(viewer: Any, qtbot: Any, heat: Any) -> None:
    from dataclasses import replace

    result = heat.metadata["medpatch_result"]
    spread = np.where(np.isfinite(heat.data), np.arange(heat.data.size).reshape(heat.data.shape), np.nan)
    heat.metadata["medpatch_result"] = replace(result, extras={"uncertainty": spread.astype(np.float32)})
    gallery = open_gallery(viewer, heat)
    gallery.by_combo.setCurrentText("uncertainty")
    expected = most_and_least(heat.metadata["medpatch_result"], 1, 12, "uncertainty")
    assert gallery.most.cells == [tuple(cell) for cell in expected.most.cells.tolist()]
    assert gallery.most_title.text() == "Highest uncertainty"
    finish_pictures(qtbot, gallery)
    chosen: list[Any] = []
    gallery.chosen.connect(lambda layer, cell: chosen.append((layer, cell)))
    where = gallery.most.visualItemRect(gallery.most.item(1)).center()
    qtbot.mouseClick(gallery.most.viewport(), Qt.MouseButton.LeftButton, pos=where)
    qtbot.mouseDClick(gallery.most.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert chosen == [(heat, gallery.most.cells[1])]
    inspector = viewer.window.dock_widgets[INSPECTOR]
    look(qtbot, inspector)
    assert f"uncertainty {spread[gallery.most.cells[1]]:.3f}".capitalize() == inspector.extras.text()


@pytest.mark.parametrize("turn", [0, 30])
def test_a_flight_puts_the_patch_into_the_middle(viewer: Any, turn: float) -> None:
    image = viewer.add_image(
        np.zeros((300, 400, 3), np.uint8), rgb=True, scale=(0.5, 0.25), translate=(70, -30), rotate=turn
    )
    box = Box((40, 60), (104, 124))
    fly_to(viewer, image, box)
    corners = corners_in_world(image, box)
    np.testing.assert_allclose(viewer.camera.center[-2:], corners.mean(axis=0))
    on_screen = (corners.max(axis=0) - corners.min(axis=0)) * viewer.camera.zoom
    assert np.max(on_screen / np.asarray(viewer.canvas.size)) == pytest.approx(1 / 3)
    seen = visible_box(viewer, image)
    assert all(a <= b for a, b in zip(seen.start, box.start, strict=True))
    assert all(a >= b for a, b in zip(seen.stop, box.stop, strict=True))


def test_another_grid_makes_a_fresh_start(
    viewer: Any, qtbot: Any, heat: Any, classifier: Any, slide_file: Path
) -> None:
    """A cell of one run is another patch in the next."""
    inspector, gallery = open_inspector(viewer, heat), open_gallery(viewer, heat)
    inspector.select((9, 9))
    look(qtbot, inspector)
    finish_pictures(qtbot, gallery)
    corner = Region((np.array([[200.0, 200.0], [200.0, 900.0], [900.0, 200.0]]),))
    sparse = ClassifySettings(device="cpu", overlap=-1.0)
    with closing(open_source(slide_file)) as source:
        result = run(classify(source, classifier, sparse, roi=corner))
    other = add_heat(viewer, viewer.layers[0], classifier, result)
    open_gallery(viewer, other)
    assert gallery.heat_map.layer is other
    finish_pictures(qtbot, gallery)
    first = gallery.most.cells[0]
    box = result.grid.box(*first)
    expected = thumbnail(source_of(viewer.layers[0]), (*box.start, *box.stop))
    shown = gallery.pictures[first].toImage().pixelColor(48, 48)
    assert [shown.red(), shown.green(), shown.blue()] == expected[48, 48].tolist()
    open_inspector(viewer, other)
    assert inspector.cell is None
    look(qtbot, inspector)
