"""The panel as napari opens it: start page, header, tabs, what fits, calibration."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLabel,
    QScrollArea,
    QTabBar,
    QTextBrowser,
    QToolButton,
    QWidget,
)

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.hu import HU_WINDOWS
from napari_medpatch.plugin import calibrate, opening
from napari_medpatch.plugin.layers import META, layer_data
from napari_medpatch.plugin.panel import MedPatchPanel
from napari_medpatch.plugin.start_page import show_guide

MENU_KEYS = "fvlpwh"
"""Of napari's menu bar: File, View, Layers, Plugins, Window, Help."""


@pytest.fixture
def panel(viewer: Any) -> MedPatchPanel:
    _, widget = viewer.window.add_plugin_dock_widget("napari-medpatch", "MedPatch")
    return widget


def add(viewer: Any, source: ArraySource) -> Any:
    ((data, attributes, _),) = layer_data(source)
    return viewer.add_image(data, **attributes)


def test_first_start_offers_three_things_and_a_sample_leads_to_the_tabs(panel: MedPatchPanel, qtbot: Any) -> None:
    start = panel.start
    assert panel.pages.currentWidget() is start
    texts = [button.text().replace("&", "") for button in (start.file_button, start.sample_button, start.guide_button)]
    assert texts == ["Open a file…", "Open a sample", "Read the two-minute guide"]
    action = next(a for a in start.sample_button.menu().actions() if "Retina" in a.text())
    with qtbot.waitSignal(start.opener.opened, timeout=20000):
        action.trigger()
    assert panel.pages.currentWidget() is not start
    assert panel.current.kind == "photo"
    start.guide_button.click()
    text = start.findChild(QTextBrowser).toPlainText()
    for tab in ("Open", "Classify", "Segment", "Paint & learn", "Measure", "Export"):
        assert tab in text


def test_tabs_say_what_is_missing_and_offer_what_fits(
    panel: MedPatchPanel, volume: ArraySource, photo: ArraySource
) -> None:
    panel.tabs.resize(600, 400)
    names = [panel.tabs.tabText(index) for index in range(panel.tabs.count())]
    assert names == ["&Open", "&Classify", "&Segment", "Paint && lear&n", "Measure", "&Export"]
    tabs = (panel.classify_tab, panel.segment_tab, panel.annotate_tab, panel.export_tab)
    assert all(tab.explanation.text() and not tab.controls.isEnabled() for tab in tabs)
    add(panel.viewer, volume)
    assert "this is a volume" in panel.classify_tab.explanation.text()
    assert panel.segment_tab.controls.isEnabled()
    add(panel.viewer, photo)
    assert panel.classify_tab.explanation.text() == ""
    header = panel.findChild(QLabel, "") and [label.text() for label in panel.findChildren(QLabel)]
    assert any("Photograph, array: 64 × 48 pixels" in text for text in header)
    assert any("Pixel size unknown" in text for text in header)


def test_every_button_has_a_tooltip_and_no_mnemonic_is_used_twice(panel: MedPatchPanel) -> None:
    taken = [_mnemonic(panel.tabs.tabText(index)) for index in range(panel.tabs.count())] + list(MENU_KEYS)
    assert len(taken) == len(set(taken))
    for index in range(panel.tabs.count()):
        tab = panel.tabs.widget(index)
        buttons = [b for b in tab.findChildren(QAbstractButton) if b.text() and not b.objectName().startswith("qt_")]
        assert all(button.toolTip() for button in buttons), [b.text() for b in buttons if not b.toolTip()]
        keys = taken + [key for text in _texts(tab) if (key := _mnemonic(text))]
        assert len(keys) == len(set(keys)), (panel.tabs.tabText(index), sorted(keys))


@pytest.mark.parametrize("width", [340, 600])
def test_all_tabs_can_be_read_in_a_dock_of_any_width(viewer: Any, qtbot: Any, width: int) -> None:
    panel = MedPatchPanel(viewer)
    qtbot.addWidget(panel)
    panel.setStyleSheet(viewer.window._qt_window.styleSheet())
    panel.show_tabs()
    panel.resize(width, 900)
    panel.show()
    qtbot.waitExposed(panel)
    bar = panel.tabs.tabBar()
    assert panel.width() == width
    assert bar.tabToolTip(3) == "Paint & learn"
    assert bar.tabText(3) in ("Pai&nt", "Paint && lear&n")[width // 600 :]
    assert nothing_is_scrolled_away(bar)
    # With larger letters the panel asks for the room that they need.
    panel.setStyleSheet("QTabBar, QTabBar::tab { font-size: 13pt; padding: 3px 6px; }")
    qtbot.wait(20)
    panel.resize(panel.minimumSizeHint().width(), 900)
    qtbot.wait(20)
    assert 340 < panel.width() <= 460
    assert bar.tabText(3) == "Pai&nt"
    assert nothing_is_scrolled_away(bar)


def nothing_is_scrolled_away(bar: QTabBar) -> bool:
    arrows = [button for button in bar.findChildren(QToolButton) if button.isVisible()]
    return not arrows and bar.tabRect(bar.count() - 1).right() <= bar.width()


def _texts(tab: QWidget) -> list[str]:
    labels = [label.text() for label in tab.findChildren(QLabel) if label.buddy() is not None]
    return labels + [button.text() for button in tab.findChildren(QAbstractButton)]


def _mnemonic(text: str) -> str:
    text = text.replace("&&", "")
    return text[text.index("&") + 1].lower() if "&" in text else ""


def test_windows_and_volumes_of_a_ct(panel: MedPatchPanel, qtbot: Any, tmp_path: Path, monkeypatch: Any) -> None:
    values = np.random.default_rng(0).integers(-1000, 500, (5, 6, 7, 3)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "series.nii")
    tab = panel.open_tab
    monkeypatch.setattr(opening, "ask_which", lambda question, _parent: len(question.choices) - 1)
    with qtbot.waitSignal(tab.opener.opened, timeout=20000):
        tab.opener.open([tmp_path / "series.nii"])
    layer = panel.current.layer
    assert layer.metadata[META]["volume_index"] == 2
    assert not tab.volume_box.isHidden()
    assert tab.slide_box.isHidden()
    presets = tab.volume_box.window_box.preset_buttons.findChildren(QAbstractButton)
    bone = next(button for button in presets if button.text() == "Bone\n300/1500")
    qtbot.mouseClick(bone, Qt.MouseButton.LeftButton)
    assert layer.contrast_limits == list(HU_WINDOWS["bone"])
    assert tab.volume_box.volume_combo.count() == 3
    with qtbot.waitSignal(tab.opener.opened, timeout=20000):
        tab.volume_box.volume_combo.setCurrentIndex(0)
        tab.volume_box.volume_combo.activated.emit(0)
    assert panel.current.layer.metadata[META]["volume_index"] == 0
    assert len(panel.viewer.layers) == 2


def test_a_damaged_file_is_one_sentence(panel: MedPatchPanel, qtbot: Any, tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "broken.nii").write_bytes(b"\x5c\x01\0\0" + bytes(400))
    tab = panel.open_tab
    with qtbot.waitSignal(tab.opener.runner.idle, timeout=20000):
        tab.opener.open([tmp_path / "broken.nii"])
    assert "broken.nii" in tab.status.text()
    assert said == [tab.status.text()]
    assert len(panel.viewer.layers) == 0


def test_pixel_size_of_a_slide_moves_its_results_along(
    panel: MedPatchPanel, qtbot: Any, slide_file: Path, monkeypatch: Any
) -> None:
    viewer, tab = panel.viewer, panel.open_tab
    with qtbot.waitSignal(tab.opener.opened, timeout=20000):
        tab.opener.open([slide_file])
    image = panel.current.layer
    assert tab.mpp_x.value() == pytest.approx(0.5, rel=1e-3)
    panel.annotate_tab.box.grid_combo.setCurrentIndex(len(panel.annotate_tab.box.grids) - 1)
    panel.annotate_tab.box.new_labels()
    labels = panel.annotate_tab.box.labels()
    corner = np.array(labels.data.shape) - 0.5
    viewer.layers.selection.active = image
    tab.mpp_x.setValue(0.25)
    tab.mpp_y.setValue(0.2)
    qtbot.mouseClick(tab.apply_button, Qt.MouseButton.LeftButton)
    np.testing.assert_allclose(image.scale, (0.2, 0.25))
    assert panel.current.live.spacing.values == (0.2, 0.25)
    # The outer corner of the labels is still the outer corner of the slide.
    outer = image.data_to_world(np.array(panel.current.live.levels[0].shape) - 0.5)
    np.testing.assert_allclose(labels.data_to_world(corner), outer, rtol=2e-3)
    # A picture of the file becomes a layer of its own, and is not taken for an image to work on.
    source = panel.current.live
    monkeypatch.setattr(type(source), "associated", lambda _self: {"macro": lambda: np.zeros((4, 5, 3), np.uint8)})
    calibrate.add_associated(viewer, image, "macro")
    assert viewer.layers[-1].name.endswith("macro")
    assert panel.current.layer is image


def test_the_panel_fits_a_1080p_screen(panel: MedPatchPanel, volume: ArraySource) -> None:
    add(panel.viewer, volume)
    assert panel.minimumSizeHint().height() < 500
    assert panel.minimumSizeHint().width() < 480
    # Nothing hides behind a scroll bar.
    for index in range(panel.tabs.count()):
        area = panel.tabs.widget(index).findChild(QScrollArea)
        assert area.minimumWidth() > area.widget().minimumSizeHint().width()


def test_guide_is_the_one_of_the_documentation(qtbot: Any) -> None:
    docs = Path(__file__).parents[2] / "docs" / "guide.md"
    shown = show_guide(QWidget())
    qtbot.addWidget(shown)
    packaged = Path(calibrate.__file__).with_name("guide.md").read_text(encoding="utf-8")
    without_pictures = [line for line in docs.read_text(encoding="utf-8").splitlines() if not line.startswith("![")]
    assert [line for line in without_pictures if line] == [line for line in packaged.splitlines() if line]


@pytest.mark.parametrize("name", ["Open", "Classify", "Segment", "Paint & learn", "Measure", "Export"])
def test_each_tab_is_a_widget_of_its_own(viewer: Any, volume: ArraySource, name: str) -> None:
    dock, widget = viewer.window.add_plugin_dock_widget("napari-medpatch", name)
    add(viewer, volume)
    assert any("Volume, array: 40 × 32 × 12 voxels" in label.text() for label in widget.findChildren(QLabel))
    # napari goes on without it, and so do its layers' events.
    viewer.window.remove_dock_widget(dock)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    add(viewer, volume)
    viewer.layers.clear()
    assert len(viewer.layers) == 0


def test_focus_moves_from_top_to_bottom(panel: MedPatchPanel, volume: ArraySource, slide_file: Path) -> None:
    add(panel.viewer, volume)
    panel.annotate_tab.box.new_labels()
    for index in range(panel.tabs.count()):
        panel.tabs.setCurrentIndex(index)
        tab = panel.tabs.currentWidget()
        panel.resize(420, 900)
        panel.grab()  # lays out what is not on a screen
        places = [_place(widget, tab) for widget in _focus_chain(tab)]
        assert places == sorted(places), panel.tabs.tabText(index)


def _focus_chain(tab: QWidget) -> list[QWidget]:
    found, widget = [], tab.nextInFocusChain()
    while widget is not tab:
        wanted = widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not isinstance(widget, QTabBar | QScrollArea)
        if wanted and tab.isAncestorOf(widget) and widget.isVisibleTo(tab) and widget.focusProxy() is None:
            found.append(widget)
        widget = widget.nextInFocusChain()
    return found


def _place(widget: QWidget, tab: QWidget) -> tuple[int, int]:
    """Row (ten pixels high, so that neighbours count as one row) and column."""
    middle = widget.mapTo(tab, widget.rect().center())
    return (middle.y() // 12, widget.mapTo(tab, widget.rect().topLeft()).x())


def test_the_header_follows_a_renamed_image(panel: MedPatchPanel, volume: ArraySource) -> None:
    image = add(panel.viewer, volume)
    image.name = "Tuesday's scan"
    assert "Tuesday's scan" in [label.text() for label in panel.findChildren(QLabel)]
