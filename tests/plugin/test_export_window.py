"""The Export tab: what can be written, as what, where."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from qtpy.QtCore import Qt
from window_jobs import blocks, finish

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_volume
from napari_medpatch.plugin.export_formats import SLICES
from napari_medpatch.plugin.export_widget import ExportWidget
from napari_medpatch.plugin.layers import layer_data
from napari_medpatch.plugin.live_mask import LiveMask
from napari_medpatch.plugin.open import open_paths


@pytest.fixture
def tab(viewer: Any) -> ExportWidget:
    widget = ExportWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Export")
    return widget


def segmented(viewer: Any, source: ArraySource, shape: tuple[int, ...]) -> LiveMask:
    """Show a source and the result of a fake job on it."""
    ((data, attributes, _),) = layer_data(source)
    return result_on(viewer, viewer.add_image(data, **attributes), blocks(shape))


def result_on(viewer: Any, image: Any, job: Any) -> LiveMask:
    live = LiveMask(viewer, image, "fake", probabilities=True)
    for event in job:
        live.on_events([event])
    return live


def suffixes(tab: ExportWidget) -> list[str]:
    return [tab.format_combo.itemData(index) for index in range(tab.format_combo.count())]


def test_formats_fit_the_layer_and_files_hold_its_values(
    tab: ExportWidget, qtbot: Any, volume: ArraySource, tmp_path: Path
) -> None:
    assert "nothing to export" in tab.explanation.text()
    viewer = tab.viewer
    live = segmented(viewer, volume, (12, 32, 40))
    assert tab.explanation.text() == ""
    chances, mask = live.layers
    viewer.layers.selection.active = mask
    assert tab.layer() is mask
    assert suffixes(tab) == [".nii.gz", ".seg.nrrd", ".nrrd", ".mha", ".stl", ".ply", SLICES, ".ome.tiff"]
    assert "DICOM-SEG is offered on DICOM series only" in tab.hint.text()
    assert "this image is array" in tab.hint.text()
    assert tab.path.text().endswith(".nii.gz")
    tab.path.setText(str(tmp_path / "mask.nii.gz"))
    finish(qtbot, tab.runner, lambda: qtbot.mouseClick(tab.row.run_button, Qt.MouseButton.LeftButton))
    assert f"Written: {tmp_path / 'mask.nii.gz'}" in tab.row.message.text()
    assert np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj).sum() == 12 * 32 * 40
    viewer.layers.selection.active = chances
    tab.path.setText(str(tmp_path / "chances.nii.gz"))
    finish(qtbot, tab.runner, tab.row.run_button.click)
    np.testing.assert_allclose(nibabel.load(tmp_path / "chances.nii.gz").get_fdata(), 200 / 255, atol=1e-6)


def test_the_suffix_follows_the_format(tab: ExportWidget, photo: ArraySource, tmp_path: Path) -> None:
    live = segmented(tab.viewer, photo, (48, 64))
    tab.choose(live.layers[-1])
    assert suffixes(tab) == [".png", ".ome.tiff", ".geojson"]
    tab.path.setText(str(tmp_path / "mask.png"))
    tab.format_combo.setCurrentIndex(2)
    assert tab.path.text().endswith(".geojson")
    assert Path(tab.path.text()).parent == tmp_path


def test_the_proposed_name_has_one_suffix(tab: ExportWidget, volume: ArraySource, tmp_path: Path) -> None:
    path = write_volume(volume, tmp_path / "patient 7.nii.gz")
    (image,) = open_paths(tab.viewer, [path])
    live = result_on(tab.viewer, image, blocks(volume.data.shape))
    tab.choose(live.layers[-1])
    assert live.layers[-1].name == "patient 7.nii.gz fake"
    assert tab.path.text() == str(tmp_path / "patient_7_fake.nii.gz")
    live.layers[-1].name = "second reader"
    tab.format_combo.setCurrentIndex(tab.format_combo.findData(".nrrd"))
    assert tab.path.text() == str(tmp_path / "second_reader.nrrd")


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tab: ExportWidget, qtbot: Any, photo: ArraySource, tmp_path: Path, said: list[str]
) -> None:
    segmented(tab.viewer, photo, (48, 64))
    (tmp_path / "file").write_text("in the way")
    tab.path.setText(str(tmp_path / "file" / "mask.png"))
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert "in the way" in tab.row.message.text()
    assert said == [tab.row.message.text()]
    tab.path.setText("")
    tab.run()
    assert tab.row.message.text() == "Choose a file first."


def test_removed_results_leave_the_list(tab: ExportWidget, photo: ArraySource) -> None:
    live = segmented(tab.viewer, photo, (48, 64))
    assert tab.layer_combo.count() == 2
    live.layers[-1].name = "vessels"
    assert "vessels" in [tab.layer_combo.itemText(index) for index in range(2)]
    tab.viewer.layers.remove(live.layers[-1])
    assert tab.layer_combo.count() == 1
    # A block that comes late does not bring the removed layer back.
    live.on_events(list(blocks((48, 64), 2))[1:])
    assert live.layers[-1] not in tab.viewer.layers
    tab.viewer.layers.clear()
    assert "nothing to export" in tab.explanation.text()


def test_maps_of_one_run_are_written_together_and_of_no_other(
    tab: ExportWidget, qtbot: Any, volume: ArraySource, tmp_path: Path
) -> None:
    viewer, shape, names = tab.viewer, volume.data.shape, ("left", "right")
    ((data, attributes, _),) = layer_data(volume)
    image = viewer.add_image(data, **attributes)
    first, second = (result_on(viewer, image, blocks(shape, classes=names, chance=level)) for level in (51, 255))
    left, right, _ = sorted(first.layers, key=lambda layer: layer.metadata["medpatch"].get("class_index", 9))

    def written() -> np.ndarray:
        tab.path.setText(str(tmp_path / "p.nii.gz"))
        finish(qtbot, tab.runner, tab.row.run_button.click)
        return np.asarray(nibabel.load(tmp_path / "p.nii.gz").dataobj)

    tab.choose(right)
    assert "The maps of all 2 classes of this run are written." in tab.hint.text()
    values = written()
    assert values.shape[-1] == 2
    np.testing.assert_allclose(values, 0.2, atol=1e-6)
    tab.choose(second.layers[0])
    np.testing.assert_allclose(written(), 1.0, atol=1e-6)
    # A copy, as napari's "Duplicate layer" makes it, stands for its class when it is the one that was chosen.
    copy = type(right)(right.data // 51, name="copy", metadata=dict(right.metadata), scale=right.scale)
    viewer.add_layer(copy)
    tab.choose(copy)
    values = written()
    assert values.shape[-1] == 2
    assert np.unique(values) == pytest.approx([1 / 255, 0.2])
    viewer.layers.remove(copy)
    tab.choose(left)
    viewer.layers.remove(right)
    assert tab.layer() is left
    assert "Only this map is written, of left." in tab.hint.text()
    assert written().ndim == 3
