"""The Export tab on volumes: DICOM series, surfaces, slices, options that come and go; napari's own Save."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from window_jobs import finish

from napari_medpatch.events import run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.plugin.export_formats import SLICES
from napari_medpatch.plugin.export_widget import ExportWidget
from napari_medpatch.plugin.layer_attributes import class_colours
from napari_medpatch.plugin.layers import layer_data, like_source, provenance
from napari_medpatch.plugin.links import belongs_to
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.saving import save_labels, saving_labels

NAMES = ["left lung", "heart"]


@pytest.fixture
def tab(viewer: Any) -> ExportWidget:
    widget = ExportWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Export")
    return widget


def show(viewer: Any, source: Any) -> Any:
    ((data, attributes, _),) = layer_data(source)
    return viewer.add_image(data, **attributes)


def segmented(image: Any, role: str = "mask", **facts: Any) -> Labels:
    values = np.zeros(image.data.shape, np.uint8)
    values[2:6, 5:14, 5:14], values[7:10, 18:27, 18:30] = 1, 2
    metadata = provenance(image, role, class_names=NAMES, **facts)
    layer = Labels(values, name="mask", metadata=metadata, **like_source(image))
    layer.colormap = DirectLabelColormap(color_dict={None: "grey", 0: "transparent", 1: "#ff0000", 2: "#00ff00"})
    belongs_to(layer, image)
    return layer


@pytest.fixture
def mask(tab: ExportWidget, volume: ArraySource) -> Labels:
    layer = segmented(show(tab.viewer, volume), model="m")
    tab.viewer.add_layer(layer)
    return layer


def choose(tab: ExportWidget, suffix: str, path: Path) -> None:
    index = tab.format_combo.findData(suffix)
    assert index >= 0
    tab.format_combo.setCurrentIndex(index)
    tab.path.setText(str(path))


def shown(tab: ExportWidget) -> set[str]:
    box = tab.options_box
    fields = ("per_class", "coloured", "smooth", "space", "cut", "window_combo", "maker")
    return {name for name in fields if getattr(box, name).isVisibleTo(box)}


def test_options_are_shown_only_for_the_format_they_concern(tab: ExportWidget, mask: Labels, tmp_path: Path) -> None:
    assert tab.layer() is mask
    for suffix, expected in {
        ".nii.gz": {"per_class"},
        ".seg.nrrd": {"per_class"},
        ".stl": {"smooth", "space"},
        ".ply": {"smooth", "space", "per_class"},
        SLICES: {"per_class", "coloured", "cut"},
    }.items():
        choose(tab, suffix, tmp_path / "m")
        assert shown(tab) == expected
    assert tab.options_box._rows[tab.options_box.smooth].isVisibleTo(tab.options_box) is False


def test_a_split_mask_and_its_surfaces(tab: ExportWidget, mask: Labels, qtbot: Any, tmp_path: Path) -> None:
    choose(tab, ".nii.gz", tmp_path / "m.nii.gz")
    tab.options_box.per_class.setChecked(True)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert {p.name for p in tmp_path.iterdir()} == {"m-left_lung.nii.gz", "m-heart.nii.gz"}
    assert "m-heart.nii.gz" in tab.row.message.text()
    choose(tab, ".stl", tmp_path / "m.stl")
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert {p.name for p in tmp_path.glob("*.stl")} == {"m-left_lung.stl", "m-heart.stl"}
    choose(tab, ".ply", tmp_path / "m.ply")
    tab.options_box.per_class.setChecked(False)
    tab.options_box.space.setCurrentIndex(1)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    text = (tmp_path / "m.ply").read_bytes()
    assert b"SPACE=RAS" in text[:200]
    # The layer's own colours, not the palette's.
    assert bytes([255, 0, 0]) in text
    assert bytes([0xE6, 0x9F, 0x00]) not in text


def test_slices_go_into_a_new_folder_that_has_no_suffix(
    tab: ExportWidget, mask: Labels, qtbot: Any, tmp_path: Path, said: list[str]
) -> None:
    tab.path.setText(str(tmp_path / "x.nii.gz"))
    tab.format_combo.setCurrentIndex(tab.format_combo.findData(SLICES))
    assert tab.path.text() == str(tmp_path / "mask_slices")
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert len(list((tmp_path / "mask_slices").glob("*.png"))) == 12
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("keep")
    tab.path.setText(str(tmp_path / "other"))
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert "a folder with other files" in tab.row.message.text()
    assert said == [tab.row.message.text()]


def test_the_volume_itself_is_exported_when_it_is_chosen(
    tab: ExportWidget, mask: Labels, volume: ArraySource, qtbot: Any, tmp_path: Path
) -> None:
    image = tab.viewer.layers[0]
    tab.viewer.layers.selection.active = image
    assert tab.layer() is mask
    tab.layer_combo.setCurrentIndex(tab.layer_combo.count() - 1)
    assert tab.layer() is image
    assert [tab.format_combo.itemData(n) for n in range(tab.format_combo.count())] == [
        *(".nii.gz", ".nrrd", ".mha", SLICES, ".ome.tiff"),
    ]
    choose(tab, SLICES, tmp_path / "slices")
    assert shown(tab) == {"cut", "window_combo"}
    tab.options_box.window_combo.setCurrentIndex(1)
    assert tab.options_box.options().window is not None
    choose(tab, ".nii.gz", tmp_path / "ct.nii.gz")
    finish(qtbot, tab.runner, tab.row.run_button.click)
    written = np.asarray(nibabel.load(tmp_path / "ct.nii.gz").dataobj)
    assert np.array_equal(volume.from_original(written), volume.data)


def test_an_uncertainty_layer_is_a_map(
    tab: ExportWidget, mask: Labels, volume: ArraySource, qtbot: Any, tmp_path: Path
) -> None:
    image = tab.viewer.layers[0]
    values = np.random.default_rng(0).integers(0, 256, volume.data.shape).astype(np.uint8)
    metadata = provenance(image, "uncertainty", class_names=NAMES, model="m")
    layer = tab.viewer.add_image(values, name="uncertainty", metadata=metadata, **like_source(image))
    belongs_to(layer, image)
    tab.choose(layer)
    choose(tab, ".nii.gz", tmp_path / "u.nii.gz")
    finish(qtbot, tab.runner, tab.row.run_button.click)
    written = nibabel.load(tmp_path / "u.nii.gz")
    np.testing.assert_allclose(volume.from_original(written.get_fdata()), values / 255, atol=1e-6)
    assert written.header["descrip"].item() == b"medpatch probabilities: 1 uncertainty"


def test_a_dicom_series_offers_dicom_seg(tab: ExportWidget, qtbot: Any, tmp_path: Path, real_data: Path) -> None:
    folder = real_data / "ct" / "LIDC-IDRI-0001_dicom_16slices"
    (image,) = open_paths(tab.viewer, [folder])
    layer = segmented(image, model="lungs")
    tab.viewer.add_layer(layer)
    assert tab.hint.text() == ""
    choose(tab, ".dcm", tmp_path / "m.dcm")
    assert shown(tab) == {"per_class", "maker"}
    finish(qtbot, tab.runner, tab.row.run_button.click)
    source = image.metadata["medpatch_source"]
    assert np.array_equal(read_labels(tmp_path / "m.dcm", source), layer.data)
    import highdicom

    seg = highdicom.seg.segread(tmp_path / "m.dcm")
    assert [(s.SegmentLabel, s.SegmentAlgorithmType) for s in seg.SegmentSequence] == [
        ("left lung", "AUTOMATIC"),
        ("heart", "AUTOMATIC"),
    ]


@pytest.mark.parametrize("name", ["m.nrrd", "m.seg.nrrd", "m.mha", "m.ply"])
def test_napari_saves_labels_of_volumes(volume: ArraySource, tmp_path: Path, name: str) -> None:
    layer = segmented(show(ViewerModel(), volume))
    assert layer.save(str(tmp_path / name)) == [str(tmp_path / name)]
    assert (tmp_path / name).stat().st_size > 100


def test_napari_saves_a_surface_per_class(volume: ArraySource, tmp_path: Path) -> None:
    layer = segmented(show(ViewerModel(), volume))
    written = layer.save(str(tmp_path / "m.stl"))
    assert [Path(path).name for path in written] == ["m-left_lung.stl", "m-heart.stl"]


def test_the_background_of_sparse_labels_is_no_segment(volume: ArraySource, tmp_path: Path) -> None:
    layer = segmented(show(ViewerModel(), volume), "sparse labels")
    attributes = {"metadata": layer.metadata, "colormap": layer.colormap}
    (path,) = run(saving_labels(layer.data, attributes, tmp_path / "m.stl")).paths
    assert path.name == "m.stl"
    whole = read_labels(save_labels(layer.data, attributes, tmp_path / "m.nii.gz"), volume)
    assert np.array_equal(whole, layer.data)


def test_colours_of_a_layer_by_value() -> None:
    table = DirectLabelColormap(color_dict={None: "grey", 0: "transparent", 1: "#0102ff", 3: "white"})
    assert class_colours({"colormap": table}) == ("#0102ff", "", "#ffffff")
    assert class_colours({"metadata": {"medpatch": {"colours": ["#010203"]}}}) == ("#010203",)
    assert class_colours({}) == ()
