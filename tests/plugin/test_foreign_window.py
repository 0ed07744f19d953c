"""Models from elsewhere in the Segment tab, and the choice of slices."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from window_jobs import finish

from napari_medpatch.plugin.layers import layer_data, role_of
from napari_medpatch.plugin.segment_widget import SegmentWidget
from napari_medpatch.plugin.settings import preference
from napari_medpatch.plugin.triton_guard import keep_triton_out


@pytest.fixture
def foreign() -> Any:
    """Folders of networks from elsewhere; the module imports torch, which takes long while tests are collected."""
    keep_triton_out()
    import foreign_folders

    return foreign_folders


@pytest.fixture
def tab(viewer: Any, volume: Any) -> SegmentWidget:
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment")
    ((data, attributes, _),) = layer_data(volume)
    viewer.add_image(data, **attributes)
    return widget


def masks(viewer: Any) -> list[Any]:
    return [layer for layer in viewer.layers if role_of(layer) == "mask"]


def test_a_network_from_a_folder_segments_the_volume(
    tab: SegmentWidget, foreign: Any, qtbot: Any, tmp_path: Path, volume: Any
) -> None:
    tab.model.add_folder(str(foreign.write_folder(tmp_path / "dark", foreign.Darkness())))
    assert tab.model.combo.currentText() == "dark"
    assert "TorchScript program of its authors" in tab.model.card.text()
    assert not tab.slices.isVisibleTo(tab)
    assert not tab.model_note.isVisibleTo(tab)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    (mask,) = masks(tab.viewer)
    np.testing.assert_array_equal(mask.data, volume.data < -500)
    assert mask.metadata["medpatch"]["provenance"]["tiling"] == "windows"


@pytest.mark.parametrize(("choice", "recorded"), [("model", 2), ("coronal", 1), ("all", "all")])
def test_slices_of_a_2d_model_are_chosen_and_remembered(
    tab: SegmentWidget, foreign: Any, qtbot: Any, tmp_path: Path, volume: Any, choice: str, recorded: Any
) -> None:
    folder = foreign.write_folder(
        tmp_path / "flat", foreign.Darkness(ndim=2), task="segment-2d", slice_axis=2, network={}
    )
    tab.model.add_folder(str(folder))
    assert tab.slices.isVisibleTo(tab)
    assert tab.slices.combo.itemText(0) == "As trained: sagittal"
    tab.slices.combo.setCurrentIndex(tab.slices.combo.findData(choice))
    assert preference("segment", "slices") == choice
    finish(qtbot, tab.runner, tab.row.run_button.click)
    (mask,) = masks(tab.viewer)
    np.testing.assert_array_equal(mask.data, volume.data < -500)
    assert mask.metadata["medpatch"]["provenance"]["slice_axis"] == recorded
    # Another tab finds the choice again.
    assert SegmentWidget(tab.viewer).slices.combo.currentData() == choice


def test_a_stack_is_named(tab: SegmentWidget, foreign: Any, tmp_path: Path) -> None:
    folder = foreign.write_folder(tmp_path / "flat", foreign.Darkness(ndim=2), task="segment-2d", stack=3, network={})
    tab.model.add_folder(str(folder))
    assert tab.slices.combo.itemText(0) == "As trained: axial, 3 at a time"
    assert not tab.model_note.isVisibleTo(tab), "three channels are slices here, not colours"


def test_a_monai_bundle_is_browsed_to(
    tab: SegmentWidget, foreign: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monai.networks.nets import BasicUNet

    network = BasicUNet(spatial_dims=3, in_channels=1, out_channels=2, features=(4, 4, 8, 8, 16, 4))
    folder = foreign.write_monai(tmp_path / "dark_ct", network)
    (folder / "docs").mkdir()
    (folder / "docs" / "README.md").write_text("# What it is for")
    tab.model.add_folder(str(folder))
    assert tab.model.combo.currentText() == "dark_ct"
    assert "A MONAI bundle" in tab.model.card.text()
    assert "works at 3 × 2 × 1.5 mm" in tab.model.card.text().lower()
    shown: list[str] = []
    monkeypatch.setattr(
        "napari_medpatch.plugin.model_chooser.show_text", lambda _parent, _title, text: shown.append(text)
    )
    tab.model.read_button.click()
    assert shown == ["# What it is for"]


def test_a_network_that_does_not_fit_is_one_sentence(
    tab: SegmentWidget, foreign: Any, qtbot: Any, tmp_path: Path, said: list[str]
) -> None:
    tab.model.add_folder(str(foreign.write_folder(tmp_path / "odd", foreign.Darkness(classes=4))))
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert "gives 4 channels, but its config.json names 2" in tab.row.message.text()
    assert tab.row.message.text() in said
    tab.model.add_folder(str(tmp_path))
    assert "is not a model bundle" in said[-1]
    assert tab.model.combo.currentText() == "odd"
