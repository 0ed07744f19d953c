"""DICOM folders in the window: the Open tab with progress and Stop, the question, drag and drop, readers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_cases import shown, stored_values, write_series, write_slice
from napari.components import ViewerModel

from napari_medpatch.plugin import opening
from napari_medpatch.plugin.layers import LIVE, META
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.panel import MedPatchPanel
from napari_medpatch.plugin.readers import get_photo_reader, get_slide_reader, get_volume_reader

MR = {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "RescaleIntercept": 0}


@pytest.fixture
def panel(viewer: Any) -> MedPatchPanel:
    _, widget = viewer.window.add_plugin_dock_widget("napari-medpatch", "MedPatch")
    return widget


@pytest.fixture
def two_series(tmp_path: Path) -> Path:
    write_series(tmp_path / "ct")
    for path in write_series(
        tmp_path / "b", SeriesInstanceUID="1.2.4", SeriesNumber=7, SeriesDescription="BONE"
    ).iterdir():
        path.rename(tmp_path / "ct" / f"b{path.name}")
    return tmp_path / "ct"


def test_a_dropped_folder_is_a_volume(tmp_path: Path, plugin: Any) -> None:
    folder = write_series(tmp_path / "ct")
    (layer,) = ViewerModel().open(folder, plugin="napari-medpatch")
    assert np.array_equal(layer.data, shown(stored_values()))
    assert layer.name == "CHEST 2.5mm"
    assert layer.metadata[META]["series_uid"] == "1.2.3"
    np.testing.assert_allclose(layer.scale, (2.5, 0.75, 0.5))
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3


@pytest.mark.parametrize(
    "name", ["slice.dcm", "SLICE.IMA", "IM000001", "I10", "1.2.840.113619.2.55.3", "CT.1.2.840.11"]
)
def test_any_usual_name_of_a_slice_finds_the_reader(tmp_path: Path, plugin: Any, name: str) -> None:
    path = write_slice(tmp_path / name, stored_values()[0])
    commands = {reader.command for reader in plugin.iter_compatible_readers(str(path))}
    assert "napari-medpatch.get_volume_reader" in commands
    (layer,) = ViewerModel().open(path, plugin="napari-medpatch")
    assert layer.data.shape == (1, 5, 4)


@pytest.mark.parametrize("name", ["notes.txt", "a.py", "image.h5", "README", "table1.csv", "Makefile"])
def test_other_files_are_not_asked_about(plugin: Any, name: str) -> None:
    assert list(plugin.iter_compatible_readers(name)) == []


def test_a_folder_has_one_reader_at_most(tmp_path: Path) -> None:
    readers = (get_slide_reader, get_photo_reader, get_volume_reader)
    folder = str(write_series(tmp_path / "ct"))
    assert [reader(folder) is not None for reader in readers] == [False, False, True]
    (tmp_path / "cells.zarr").mkdir()
    assert [reader(str(tmp_path / "cells.zarr")) for reader in readers] == [None] * 3


def test_real_slides_in_folders_stay_slides(real_data: Path) -> None:
    folder = str(real_data / "wsi" / "CMU-1-Small-Region_dicom")
    assert get_slide_reader(folder) is not None
    assert get_volume_reader(folder) is None


def test_the_question_lists_series_by_description(
    panel: MedPatchPanel, two_series: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(opening, "ask_which", lambda question, _parent: asked.append(question) or 1)
    tab = panel.open_tab
    with qtbot.waitSignal(tab.opener.opened, timeout=20000):
        tab.opener.open([two_series])
    assert asked[0].choices == ("series 3: CHEST 2.5mm, 6 slices, CT", "series 7: BONE, 6 slices, CT")
    assert panel.current.layer.name == "BONE"
    names = [tab.volume_box.volume_combo.itemText(n) for n in range(tab.volume_box.volume_combo.count())]
    assert names == list(asked[0].choices)
    with qtbot.waitSignal(tab.opener.opened, timeout=20000):
        tab.volume_box.volume_combo.activated.emit(0)
    assert panel.current.layer.name == "CHEST 2.5mm"


def test_a_script_takes_the_first_series_and_says_so(two_series: Path, said: list[str]) -> None:
    (layer,) = open_paths(ViewerModel(), [two_series])
    assert layer.name == "CHEST 2.5mm"
    assert "holds 2 series" in said[0]


def test_notes_of_the_series_are_shown(tmp_path: Path, said: list[str]) -> None:
    there = [0, 1, 2, 4, 5, 6, 7, 8]
    write_series(tmp_path / "ct", stored_values((9, 5, 4))[there], places=[n * 2.5 for n in there])
    open_paths(ViewerModel(), [tmp_path / "ct"])
    assert any("1 slice is missing of 9 and was interpolated" in sentence for sentence in said)


def test_all_files_of_a_series_make_one_layer(panel: MedPatchPanel, tmp_path: Path, qtbot: Any) -> None:
    """Chosen in the dialog, given to a script, dropped on the window, or dropped as a stack."""
    files = sorted(write_series(tmp_path / "ct").iterdir())
    tab = panel.open_tab
    with qtbot.waitSignal(tab.opener.opened, timeout=20000):
        tab.opener.open(files)
    qtbot.waitUntil(lambda: not tab.opener.runner.is_running, timeout=20000)
    assert len(panel.viewer.layers) == 1
    assert len(open_paths(ViewerModel(), files)) == 1
    for stack in (False, True):
        dropped = ViewerModel()
        dropped.open(files, stack=stack, plugin="napari-medpatch")
        assert [layer.data.shape for layer in dropped.layers] == [(6, 5, 4)]
        dropped.open(files[0], plugin="napari-medpatch")
        assert len(dropped.layers) == 2


def test_notes_stay_in_sight_in_the_open_tab(panel: MedPatchPanel, tmp_path: Path, qtbot: Any) -> None:
    there = [0, 1, 2, 4, 5, 6, 7, 8]
    write_series(tmp_path / "gap", stored_values((9, 5, 4))[there], places=[n * 2.5 for n in there])
    write_series(tmp_path / "ct")
    tab = panel.open_tab
    for name, noted in (("gap", True), ("ct", False)):
        with qtbot.waitSignal(tab.opener.opened, timeout=20000):
            tab.opener.open([tmp_path / name])
        assert tab.notes.isHidden() is not noted
        assert ("Note: 1 slice is missing of 9" in tab.notes.text()) is noted


def test_a_shorter_volume_is_not_left_of_the_present_slice(tmp_path: Path) -> None:
    viewer = ViewerModel()
    open_paths(viewer, [write_series(tmp_path / "long", stored_values((60, 5, 4)))])
    viewer.dims.set_point(0, 140)
    (layer,) = open_paths(viewer, [write_series(tmp_path / "short")])
    assert viewer.dims.point[0] == pytest.approx(6.25, abs=2.5)
    assert layer.extent.world[1, 0] < 140


def test_an_inverted_series_is_shown_inverted(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "mr", PhotometricInterpretation="MONOCHROME1", **MR)
    (layer,) = open_paths(ViewerModel(), [folder])
    assert layer.colormap.name == "gray_r"
    assert np.array_equal(layer.metadata[LIVE].data, stored_values())


def test_opening_can_be_stopped_and_shows_a_bar(
    panel: MedPatchPanel, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reading is held up by a reader of headers that takes its time."""
    import time

    from napari_medpatch.io import dicom_folder

    real = dicom_folder.read_slices
    monkeypatch.setattr(dicom_folder, "read_slices", lambda path: time.sleep(0.2) or real(path))
    tab = panel.open_tab
    panel.show_tab(tab)
    row = next(child for child in tab.findChildren(type(tab.opening_row)))
    assert row.isHidden()
    folder = write_series(tmp_path / "ct", stored_values((60, 5, 4)))
    tab.opener.open([folder, folder])
    qtbot.waitUntil(lambda: not row.isHidden() and "files" in row.bar.format(), timeout=10000)
    with qtbot.waitSignal(tab.opener.runner.idle, timeout=5000):
        row.stop_button.click()
    assert tab.status.text() == "Stopped; nothing was opened."
    assert row.isHidden()
    assert len(panel.viewer.layers) == 0
    assert not tab.opener.runner.is_running


def test_a_damaged_series_is_one_sentence(panel: MedPatchPanel, tmp_path: Path, qtbot: Any, said: list[str]) -> None:
    write_series(tmp_path / "ct")
    path = tmp_path / "ct" / "014.dcm"
    path.write_bytes(path.read_bytes()[:-20])
    tab = panel.open_tab
    with qtbot.waitSignal(tab.opener.runner.idle, timeout=20000):
        tab.opener.open([tmp_path / "ct"])
    assert "014.dcm is damaged" in tab.status.text()
    assert said == [tab.status.text()]
