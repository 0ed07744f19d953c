"""Level and width: numbers, presets, percentiles, drags."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from canvas_mouse import MIDDLE, NONE, RIGHT, SHIFT, drag
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.hu import HU_PRESETS, HU_WINDOWS, LevelWidth
from napari_medpatch.plugin.canvas_parts import qt_viewer_of
from napari_medpatch.plugin.layers import layer_data
from napari_medpatch.plugin.panel import MedPatchPanel
from napari_medpatch.plugin.planes_dock import close_planes, open_planes
from napari_medpatch.plugin.window_box import WindowBox
from napari_medpatch.plugin.window_drag import dragged
from napari_medpatch.plugin.window_level import decimals_of, percentile_window, set_window, window_of


def layer_of(source: ArraySource) -> Image:
    ((data, attributes, _),) = layer_data(source)
    return Image(data, **attributes)


@pytest.fixture
def mr() -> ArraySource:
    values = np.random.default_rng(0).gamma(2, 0.1, (8, 16, 16)).astype(np.float32)
    return ArraySource(values, "volume", spacing=(1, 1, 1), path=Path("mr.nii"))


def test_a_window_is_black_and_white_of_a_layer(volume: ArraySource) -> None:
    layer = layer_of(volume)
    set_window(layer, LevelWidth(50, 350))
    assert layer.contrast_limits == [-125, 225]
    assert window_of(layer) == LevelWidth(50, 350)
    set_window(layer, LevelWidth(50, -3))
    assert window_of(layer) == LevelWidth(50, 1)


def test_percentiles_are_those_of_the_values(mr: ArraySource) -> None:
    layer = layer_of(mr)
    low, high = percentile_window(layer, 2, 98).limits
    assert (low, high) == pytest.approx(np.percentile(mr.data, (2, 98)), rel=1e-4)
    assert decimals_of(layer) >= 2


def test_a_constant_volume_has_a_window_too() -> None:
    layer = Image(np.full((4, 4, 4), 7, np.int16))
    assert percentile_window(layer, 0, 100).width == 1


def test_right_is_wider_and_up_is_brighter() -> None:
    before = LevelWidth(40, 400)
    assert dragged(before, 150, 0) == LevelWidth(40, 800)
    assert dragged(before, -150, 0) == LevelWidth(40, 200)
    assert dragged(before, 0, -75).level == 40 - 100
    assert dragged(before, -100_000, 0).width >= 0


def test_numbers_follow_the_layer_and_the_layer_the_numbers(qtbot: Any, volume: ArraySource) -> None:
    box, layer = WindowBox(), layer_of(volume)
    qtbot.addWidget(box)
    box.follow(layer)
    assert layer.contrast_limits == list(HU_WINDOWS["lung"])
    layer.contrast_limits = (0, 80)
    assert (box.level.value(), box.width.value()) == (40, 80)
    box.level.setValue(60)
    box.width.setValue(200)
    assert layer.contrast_limits == [-40, 160]
    assert box.level.suffix() == " HU"


def test_each_layer_keeps_its_own_window(qtbot: Any, volume: ArraySource, mr: ArraySource) -> None:
    box, first, second = WindowBox(), layer_of(volume), layer_of(mr)
    qtbot.addWidget(box)
    box.follow(first)
    box.use_preset("bone")
    limits = list(second.contrast_limits)
    box.follow(second)
    assert second.contrast_limits == limits
    first.contrast_limits = (0, 1)
    assert window_of(second).level == pytest.approx(box.level.value(), abs=1e-3)
    box.follow(first)
    assert box.width.value() == 1


def test_volumes_without_hu_get_percentiles_instead_of_presets(qtbot: Any, mr: ArraySource) -> None:
    box, layer = WindowBox(), layer_of(mr)
    qtbot.addWidget(box)
    box.follow(layer)
    assert box.preset_buttons.isHidden()
    assert not box.percent_buttons.isHidden()
    before = list(layer.contrast_limits)
    box.use_preset("brain")
    assert layer.contrast_limits == before
    widest = box.percent_buttons.findChildren(QAbstractButton)[-1]
    widest.click()
    assert layer.contrast_limits == pytest.approx([mr.data.min(), mr.data.max()], rel=1e-5)


@pytest.mark.parametrize(
    ("button", "modifiers", "right", "ours"),
    [
        (2, ("Shift",), False, True),
        (3, (), False, True),
        (2, (), False, False),
        (2, (), True, True),
        (1, (), True, False),
        (2, ("Control",), True, False),
    ],
)
def test_which_buttons_drag_the_window(qtbot: Any, button: int, modifiers: Any, right: bool, ours: bool) -> None:
    box, layer = WindowBox(), Image(np.zeros((3, 4, 5), np.int16))
    qtbot.addWidget(box)
    box.follow(layer)
    box.drag_check.setChecked(right)
    event = SimpleNamespace(button=button, modifiers=modifiers)
    flat = SimpleNamespace(dims=SimpleNamespace(ndisplay=2))
    assert (box.drag.layer_for(event, flat) is layer) == ours
    assert box.drag.layer_for(event, SimpleNamespace(dims=SimpleNamespace(ndisplay=3))) is None


def test_dragging_on_the_canvas_changes_the_window_and_nothing_else(
    make_napari_viewer: Any, qtbot: Any, volume: ArraySource
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 800)
    panel = MedPatchPanel(viewer)
    viewer.window.add_dock_widget(panel, name="MedPatch")
    layer = viewer.add_layer(layer_of(volume))
    labels = viewer.add_labels(np.zeros(volume.data.shape, np.uint8), scale=layer.scale)
    labels.mode = "paint"
    box = panel.open_tab.volume_box
    box.planes_button.click()
    qtbot.wait(50)
    canvas = qt_viewer_of(viewer)
    zoom = viewer.scene.camera.zoom
    for button, modifier in ((RIGHT, SHIFT), (MIDDLE, NONE)):
        box.window_box.use_preset("lung")
        drag(qtbot, canvas, (100, 100), (150, 70), button, modifier)
        window = window_of(layer)
        assert window == dragged(HU_PRESETS["lung"], 50, -30)
        assert box.window_box.level.value() == pytest.approx(window.level, abs=0.5)
        # The other planes show the same window.
        twin = open_planes(viewer).mirror.twin(layer, open_planes(viewer).views[0].model)
        assert twin.contrast_limits == layer.contrast_limits
    # The brush, which is on, did not paint, and paints again afterwards.
    assert not labels.data.any()
    drag(qtbot, canvas, (100, 100), (120, 100))
    assert labels.data.any()
    # With the switch on, the plain right button does the same and does not zoom.
    labels.mode = "pan_zoom"
    box.window_box.drag_check.setChecked(True)
    box.window_box.use_preset("bone")
    drag(qtbot, canvas, (100, 100), (100, 130), RIGHT)
    assert window_of(layer).level == pytest.approx(300 + 150)
    assert viewer.scene.camera.zoom == pytest.approx(zoom)
    assert viewer.scene.camera.mouse_pan
    # A plane drags the same window; a key brings a preset back.
    view = open_planes(viewer).views[0]
    drag(qtbot, view.qt_viewer, (40, 40), (40, 70), RIGHT)
    assert window_of(layer).level == pytest.approx(300 + 300)
    for native, key, name in ((canvas, Qt.Key.Key_1, "lung"), (view.qt_viewer, Qt.Key.Key_7, "brain")):
        qtbot.keyClick(native.canvas.native, key, Qt.KeyboardModifier.AltModifier)
        assert layer.contrast_limits == list(HU_WINDOWS[name])
    close_planes(viewer)
    qtbot.wait(50)
