"""Files dropped on the canvas of a real window open through our readers, at their true size."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManifest
from qtpy.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QDialog, QDialogButtonBox, QRadioButton

from napari_medpatch.io.detect import open_source
from napari_medpatch.io.png import write_png
from napari_medpatch.plugin.canvas_parts import qt_viewer_of
from napari_medpatch.plugin.layers import LIVE
from napari_medpatch.plugin.panel import MedPatchPanel

NAMES = ["ct/LIDC-IDRI-0001_ct_256.nii.gz", "ct/LIDC-IDRI-0001_dicom_16slices", "wsi/CMU-1-Small-Region.svs"]


@pytest.fixture
def napari_too(plugin: Any) -> None:
    """Napari's own readers, which claim the suffixes of NIfTI, DICOM and SVS and all folders."""
    plugin.register(PluginManifest.from_distribution("napari"))


@pytest.fixture
def panel(viewer: Any, napari_too: None) -> MedPatchPanel:
    _, widget = viewer.window.add_plugin_dock_widget("napari-medpatch", "MedPatch")
    return widget


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """What napari's dialog proposes; it is accepted, or the test would wait for ever."""
    proposed: list[str] = []

    def accept() -> None:
        for dialog in QApplication.topLevelWidgets():
            if isinstance(dialog, QDialog) and dialog.isVisible():
                proposed.extend(button.text() for button in dialog.findChildren(QRadioButton) if button.isChecked())
                dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok).click()

    timer = QTimer()
    timer.timeout.connect(accept)
    timer.start(100)
    yield proposed
    timer.stop()


def drop(viewer: Any, *paths: Path) -> None:
    """Carry files over the canvas and let go, as a file manager does."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    canvas, held = qt_viewer_of(viewer), (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    place = QPointF(canvas.width() / 2, canvas.height() / 2)
    entering = QDragEnterEvent(place.toPoint(), Qt.DropAction.CopyAction, mime, *held)
    QApplication.sendEvent(canvas, entering)
    assert entering.isAccepted()
    QApplication.sendEvent(canvas, QDropEvent(place, Qt.DropAction.CopyAction, mime, *held))


def is_right(layer: Any, path: Path) -> None:
    """Hold a layer to what the file says."""
    source = open_source(path)
    assert layer.metadata[LIVE].path == path
    assert source.spacing is not None
    assert tuple(layer.scale) == pytest.approx(source.spacing.values)
    assert {str(unit) for unit in layer.units} == {{"mm": "millimeter", "um": "micrometer"}[source.spacing.unit]}
    data = layer.data[0] if layer.multiscale else layer.data
    assert tuple(data.shape[: layer.ndim]) == source.levels[0].shape


@pytest.mark.parametrize("name", NAMES)
def test_beside_the_panel_what_is_ours_opens_without_a_question(
    panel: MedPatchPanel, asked: list[str], real_data: Path, name: str, qtbot: Any
) -> None:
    with qtbot.waitSignal(panel.start.opener.opened, timeout=30000):
        drop(panel.viewer, real_data / name)
    (layer,) = panel.viewer.layers
    is_right(layer, real_data / name)
    assert asked == []
    assert panel.current.layer is layer


def test_a_second_drop_shows_its_progress_in_the_open_tab(
    panel: MedPatchPanel, asked: list[str], real_data: Path, qtbot: Any
) -> None:
    panel.show_tab(panel.segment_tab)
    seen: list[Any] = []
    panel.open_tab.opener.opened.connect(seen.append)
    drop(panel.viewer, *(real_data / name for name in NAMES[:2]))
    assert panel.tabs.currentWidget() is panel.open_tab
    qtbot.waitUntil(lambda: len(seen) == 2, timeout=30000)
    for layer, name in zip(panel.viewer.layers, NAMES, strict=False):
        is_right(layer, real_data / name)
    assert asked == []


def test_other_files_and_other_wishes_go_napari_s_way(
    panel: MedPatchPanel, asked: list[str], real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.settings import get_settings

    picture = write_png(np.zeros((20, 30), np.uint8), tmp_path / "picture.png")
    drop(panel.viewer, picture)
    assert panel.viewer.layers[-1].source.path == str(picture)
    asked.clear()
    get_settings().plugins.extension2reader = {"*.gz": "napari"}
    path = real_data / NAMES[0]
    opened: list[Any] = []
    monkeypatch.setattr(ViewerModel, "open", lambda _viewer, paths, **_options: opened.extend(paths))
    drop(panel.viewer, path)
    assert opened == [str(path)]
    assert asked == []


@pytest.mark.parametrize("name", NAMES)
def test_without_the_panel_napari_asks_and_proposes_us(
    viewer: Any, napari_too: None, asked: list[str], real_data: Path, name: str
) -> None:
    drop(viewer, real_data / name)
    assert asked == ["MedPatch"]
    (layer,) = viewer.layers
    assert layer.source.reader_plugin == "napari-medpatch"
    is_right(layer, real_data / name)


@pytest.mark.parametrize("name", NAMES)
def test_once_preferred_we_are_not_asked_about(
    viewer: Any, napari_too: None, asked: list[str], real_data: Path, name: str
) -> None:
    from napari.settings import get_settings

    path = real_data / name
    # What the dialog keeps if its box is ticked.
    kept = f"{path.resolve()}{os.sep}" if path.is_dir() else f"*{path.suffix}"
    get_settings().plugins.extension2reader = {kept: "napari-medpatch"}
    drop(viewer, path)
    assert asked == []
    (layer,) = viewer.layers
    is_right(layer, path)
