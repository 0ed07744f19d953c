"""Three linked planes in a real window: orientation, cursor, painting, closing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from canvas_mouse import SHIFT, click, drag, hover, pixel_of
from napari.qt import QtViewer
from qtpy.compat import isalive
from qtpy.QtCore import Qt

from napari_medpatch.annotate.project import Project
from napari_medpatch.plugin.canvas_parts import is_right_handed, qt_viewer_of, sides_of
from napari_medpatch.plugin.open import open_paths, show
from napari_medpatch.plugin.panel import MedPatchPanel
from napari_medpatch.plugin.planes_dock import PlanesDock, close_planes, open_planes, planes_of


@pytest.fixture
def ct_file(tmp_path: Path) -> Path:
    """Thick slices; the brightest voxels lie at the head, at the front and at the patient's left."""
    x, y, z = np.mgrid[:24, :20, :10]
    values = (10 * x + y + 100 * z).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, 1.0, 3.0, 1])), tmp_path / "ct.nii")
    return tmp_path / "ct.nii"


@pytest.fixture
def window(make_napari_viewer: Any, ct_file: Path) -> Any:
    """A window that is drawn, with a CT in it."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 900)
    open_paths(viewer, [ct_file])
    return viewer


@pytest.fixture
def dock(window: Any, qtbot: Any) -> Iterator[PlanesDock]:
    dock = open_planes(window)
    qtbot.wait(50)
    yield dock
    close_planes(window)
    qtbot.wait(50)


def letters(viewer: Any) -> str:
    """Top, bottom, left, right."""
    overlays = viewer.canvas.overlays
    keys = ("top_center", "bottom_center", "middle_left", "middle_right")
    return "".join(overlays[f"medpatch_{key}"].text for key in keys)


def test_each_plane_is_seen_as_radiologists_see_it(dock: PlanesDock) -> None:
    main, coronal, sagittal = dock.viewers
    assert [letters(viewer) for viewer in (main, coronal, sagittal)] == ["APRL", "SIRL", "SIAP"]
    (image,) = coronal.layers
    qt_viewer = dock.views[0].qt_viewer
    assert image.data[9].mean() > image.data[0].mean()  # slice 9 is at the head, and drawn further up
    (x0, y0), (x1, y1) = pixel_of(qt_viewer, 0, 0), pixel_of(qt_viewer, 9, 9)
    assert y1 < y0
    # Thick slices are drawn thick.
    assert abs(y1 - y0) == pytest.approx(abs(x1 - x0), abs=2)


def test_mouse_and_sliders_move_one_cursor(dock: PlanesDock, qtbot: Any) -> None:
    main, coronal, sagittal = dock.viewers
    qt_viewer, canvas = dock.views[0].qt_viewer, qt_viewer_of(main)
    click(qtbot, qt_viewer, pixel_of(qt_viewer, 3 * 7, 4))
    assert (main.dims.current_step[0], sagittal.dims.current_step[2]) == (7, 4)
    click(qtbot, canvas, pixel_of(canvas, 15, 18))
    assert (coronal.dims.current_step[1], sagittal.dims.current_step[2]) == (15, 18)
    assert dock.cursor.place == pytest.approx((21, 15, 18), abs=0.6)
    # A slider moves the lines in the other planes.
    main.dims.set_current_step(0, 2)
    line = dock.views[0].marks.line
    assert line.visible
    assert set(np.asarray(line.pos)[:2, 1]) == {6.0}
    sagittal.dims.set_current_step(2, 20)
    assert set(np.asarray(line.pos)[2:, 0]) == {20.0}
    # A brush that is on does not paint while the mouse moves with Shift.
    labels = main.add_labels(np.zeros((10, 20, 24), np.uint8), scale=(3, 1, 1))
    labels.mode = "paint"
    qt_viewer = dock.views[1].qt_viewer
    hover(qtbot, qt_viewer, pixel_of(qt_viewer, 3 * 8, 12), SHIFT)
    assert (main.dims.current_step[0], coronal.dims.current_step[1]) == (8, 12)
    hover(qtbot, qt_viewer, pixel_of(qt_viewer, 3 * 2, 3))
    assert main.dims.current_step[0] == 8
    assert not labels.data.any()


def test_a_brush_stroke_in_the_coronal_plane_is_drawn_in_the_axial_one(dock: PlanesDock, qtbot: Any) -> None:
    main = dock.main
    labels = main.add_labels(np.zeros((10, 20, 24), np.uint8), scale=(3, 1, 1))
    labels.brush_size, labels.mode, labels.selected_label = 3, "paint", 2
    dock.cursor.go_to((15, 9, 12))
    qt_viewer = dock.views[0].qt_viewer
    drag(qtbot, qt_viewer, pixel_of(qt_viewer, 15, 4), pixel_of(qt_viewer, 15, 18))
    painted = np.argwhere(labels.data == 2)
    assert set(painted[:, 1]) == {9}
    assert {5}.issubset(painted[:, 0])
    assert len(set(painted[:, 2])) > 10
    qtbot.wait(150)
    canvas = qt_viewer_of(main)
    colour = canvas.canvas.screenshot().pixelColor(*pixel_of(canvas, 9, 8))
    assert max(colour.red(), colour.green(), colour.blue()) - min(colour.red(), colour.green(), colour.blue()) > 20
    labels.undo()
    assert not labels.data.any()


def test_strokes_in_any_plane_are_saved(window: Any, qtbot: Any) -> None:
    panel = MedPatchPanel(window)
    window.window.add_dock_widget(panel, name="MedPatch")
    box = panel.annotate_tab.box
    qtbot.waitUntil(lambda: not box.finder.is_running, timeout=10000)
    box.new_labels()
    labels = box.labels()
    dock = open_planes(window)
    project = Project.for_source(panel.current.live)
    dock.mirror.twin(labels, dock.views[1].model).paint((5, 10, 12), 2)

    def saved() -> bool:
        return project.has_labels() and np.array_equal(project.latest_labels().labels.labels, labels.data)

    qtbot.waitUntil(saved, timeout=15000)
    assert labels.data.any()


def test_planes_stay_planes_and_linked_while_the_main_view_is_3d(dock: PlanesDock) -> None:
    """napari's keys for 3D, rolling and transposing work on any viewer; a full volume would not fit a small card."""
    main, coronal, sagittal = dock.viewers
    coronal.dims.ndisplay = 3
    coronal.dims.order = (0, 1, 2)
    coronal.scene.camera.orientation2d = ("down", "right")
    assert (coronal.dims.ndisplay, coronal.dims.order) == (2, (1, 0, 2))
    assert tuple(coronal.scene.camera.orientation2d) == ("up", "right")
    main.dims.ndisplay = 3
    assert [marks.line.visible for marks in dock._marks] == [True, True, False]
    dock.cursor.go_to((9, 4, 5))
    assert (coronal.dims.current_step[1], sagittal.dims.current_step[2]) == (4, 5)
    main.dims.ndisplay = 2
    assert all(marks.line.visible for marks in dock._marks)
    assert dock.cursor.place[0] == main.dims.point[0]


def test_the_button_opens_and_closes_the_planes(window: Any, qtbot: Any) -> None:
    panel = MedPatchPanel(window)
    window.window.add_dock_widget(panel, name="MedPatch")
    button = panel.open_tab.volume_box.planes_button
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert planes_of(window) is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert planes_of(window) is None
    qtbot.wait(50)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    planes = planes_of(window)
    assert open_planes(window) is planes
    assert len(planes.views[0].model.layers) == 1
    planes.parentWidget().destroyOnClose()
    assert not button.isChecked()


@pytest.mark.parametrize("how", ["button of the dock", "last volume removed"])
def test_nothing_is_left_of_closed_planes(dock: PlanesDock, qtbot: Any, how: str) -> None:
    viewer, closed = dock.main, []
    dock.closed.connect(lambda: closed.append(True))
    if how == "button of the dock":
        dock.parentWidget().destroyOnClose()
    else:
        viewer.layers.clear()
    qtbot.waitUntil(lambda: planes_of(viewer) is None, timeout=5000)
    qtbot.wait(50)
    assert closed == [True]
    assert [widget.viewer for widget in viewer.window._qt_window.findChildren(QtViewer)] == [viewer]
    assert not any(overlay.visible for key, overlay in viewer.canvas.overlays.items() if key.startswith("medpatch"))
    # The window works on.
    viewer.add_labels(np.zeros((10, 20, 24), np.uint8)).paint((3, 4, 5), 1)
    viewer.dims.set_current_step(0, 1)


def test_a_window_may_close_with_its_planes_open(window: Any, qtbot: Any) -> None:
    """The fixture fails too if a viewer of them is left."""
    dock = open_planes(window)
    views = [view.qt_viewer for view in dock.views]
    qtbot.wait(50)
    window.close()
    qtbot.waitUntil(lambda: not any(isalive(view) for view in views), timeout=5000)
    assert planes_of(window) is None


def test_a_made_up_position_has_no_letters(make_napari_viewer: Any, volume: Any) -> None:
    viewer = make_napari_viewer()
    layer = show(viewer, volume)
    assert sides_of(layer) == ""
    assert is_right_handed(layer) is None
    dock = open_planes(viewer)
    assert not any(key.startswith("medpatch") for key in dock.views[0].model.canvas.overlays)


def test_the_whole_slice_is_seen_beside_the_planes(window: Any, qtbot: Any) -> None:
    qtbot.wait(50)
    window.fit_to_view()
    dock, canvas = open_planes(window), qt_viewer_of(window)
    for row, column in ((0, 0), (19, 23)):
        qtbot.waitUntil(lambda r=row, c=column: is_seen(canvas, pixel_of(canvas, r, c)), timeout=5000)
    close_planes(window)
    qtbot.wait(50)
    # A view that the user moved is left alone.
    window.scene.camera.zoom *= 3
    zoom = window.scene.camera.zoom
    dock = open_planes(window)
    qtbot.wait(150)
    assert window.scene.camera.zoom == zoom
    assert dock is planes_of(window)


def is_seen(canvas: Any, pixel: tuple[int, int]) -> bool:
    return 0 <= pixel[0] < canvas.canvas.native.width() and 0 <= pixel[1] < canvas.canvas.native.height()
