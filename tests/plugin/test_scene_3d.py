"""3D: surfaces of masks, coarser copies of large volumes, and 2D as it was afterwards."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from window_jobs import finish

from napari_medpatch.errors import LabelsError
from napari_medpatch.events import Finished, Noted, run
from napari_medpatch.plugin import surface_layers
from napari_medpatch.plugin.canvas_parts import qt_viewer_of
from napari_medpatch.plugin.layers import like_source, provenance, role_of
from napari_medpatch.plugin.light_copies import ROLE as COPY
from napari_medpatch.plugin.links import belongs_to, image_of, kind_of
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.panel import MedPatchPanel
from napari_medpatch.plugin.planes_dock import close_planes, open_planes
from napari_medpatch.plugin.scene_3d import Scene3D
from napari_medpatch.plugin.settings import keep
from napari_medpatch.plugin.surface_layers import ROLE as SURFACE
from napari_medpatch.plugin.surface_layers import making_surfaces, values_without_surface

SHAPE = (20, 40, 40)


@pytest.fixture
def window(viewer: Any, tmp_path: Path) -> Any:
    """A CT with thick slices, and a mask of two classes on it."""
    values = np.random.default_rng(0).integers(-1000, 300, SHAPE[::-1]).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, -1.0, 2.0, 1])), tmp_path / "ct.nii")
    (image,) = open_paths(viewer, [tmp_path / "ct.nii"])
    mask = np.zeros(SHAPE, np.uint8)
    mask[4:10, 8:20, 6:16], mask[12:17, 20:32, 20:36] = 1, 2
    colours = {None: "grey", 0: "transparent", 1: "#e69f00", 2: "#56b4e9"}
    layer = Labels(
        mask,
        name="mask",
        colormap=DirectLabelColormap(color_dict=colours),
        metadata=provenance(image, "mask", class_names=["lung", "heart"]),
        **like_source(image),
    )
    belongs_to(layer, image)
    viewer.add_layer(layer)
    return viewer


@pytest.fixture
def box(window: Any) -> Any:
    panel = MedPatchPanel(window)
    window.window.add_dock_widget(panel, name="MedPatch")
    return panel.open_tab.volume_box


def make_surfaces(qtbot: Any, box: Any) -> None:
    finish(qtbot, box.surfaces.runner, box.surfaces.row.run_button.click)
    qtbot.waitUntil(lambda: not box.surfaces.is_busy, timeout=20000)


def surfaces(viewer: Any) -> list[Any]:
    return [layer for layer in viewer.layers if role_of(layer) == SURFACE]


def test_surfaces_of_each_class_in_its_colour_and_place(box: Any, window: Any, qtbot: Any) -> None:
    image, mask = window.layers[:2]
    make_surfaces(qtbot, box)
    assert window.dims.ndisplay == 3
    assert box.scene_button.isChecked()
    assert [layer.name for layer in surfaces(window)] == ["mask lung surface", "mask heart surface"]
    for value, layer in enumerate(surfaces(window), start=1):
        assert layer.visible
        assert image_of(layer) is image
        assert kind_of(layer) is None
        np.testing.assert_allclose(layer.colormap.colors[-1], mask.colormap.map(value), atol=1e-6)
        voxels = np.argwhere(mask.data == value)
        world = np.stack([mask.data_to_world(corner) for corner in layer.data[0]])
        np.testing.assert_allclose(world.mean(axis=0), mask.data_to_world(voxels.mean(axis=0)), atol=0.3)
    # Volumes stand behind their surfaces; back in 2D everything is as before.
    assert (image.visible, mask.visible) == (False, False)
    # Blocks of another mask of the same image would hide the surfaces, until the user asks for them.
    other = Labels(mask.data, name="other", metadata=provenance(image, "mask"), **like_source(image))
    belongs_to(other, image)
    window.add_layer(other)
    assert not other.visible
    other.visible = True
    assert other.visible
    window.layers.remove(other)
    box.scene_button.click()
    assert window.dims.ndisplay == 2
    assert (image.visible, mask.visible) == (True, True)
    assert not any(layer.visible for layer in surfaces(window))
    assert len(window.layers) == 4
    # Once more, with a class less.
    mask.data[mask.data == 1] = 0
    make_surfaces(qtbot, box)
    assert [layer.name for layer in surfaces(window)] == ["mask heart surface"]


def test_the_patient_is_seen_from_the_front_and_not_mirrored(box: Any, window: Any, qtbot: Any) -> None:
    before = window.scene.camera.orientation
    box.scene_button.click()
    camera = window.scene.camera
    np.testing.assert_allclose(camera.view_direction, (0, 1, 0), atol=1e-6)  # towards the back
    np.testing.assert_allclose(camera.up_direction, (1, 0, 0), atol=1e-6)  # the head on top
    canvas = qt_viewer_of(window)
    scene = canvas.canvas.view.transform * canvas.canvas.view.scene.transform
    left, right = (scene.map([x, 20.0, 20.0, 1.0]) for x in (39.0, 0.0))
    assert left[0] / left[3] > right[0] / right[3]  # the patient's left is at our right
    box.scene_button.click()
    assert window.scene.camera.orientation == before


def test_a_mask_that_is_removed_meanwhile_leaves_nothing(box: Any, window: Any, qtbot: Any) -> None:
    mask = window.layers["mask"]

    def start() -> None:
        box.surfaces.row.run_button.click()
        window.layers.remove(mask)

    finish(qtbot, box.surfaces.runner, start)
    assert surfaces(window) == []
    assert "removed" in box.surfaces.row.message.text()
    box.surfaces.run()
    assert "no mask yet" in box.surfaces.row.message.text()


def test_large_volumes_are_shown_in_3d_by_coarser_copies(box: Any, window: Any, qtbot: Any) -> None:
    image, mask = window.layers[:2]
    keep("volumes", "texture_mb", 16)
    scene: Scene3D = box.surfaces.scene
    scene.copies.steps = lambda layer: (1, 2, 2)  # type: ignore[method-assign]
    dock = open_planes(window)
    twin = dock.mirror.twin(image, dock.views[0].model)
    drawn: list[Any] = []
    image.events.set_data.connect(drawn.append)
    with qtbot.waitSignal(scene.copies.runner.idle, timeout=20000):
        window.dims.ndisplay = 3
        assert not image.visible
        assert drawn == []  # the full volume never went to the graphics card
        assert twin.visible
        assert "coarser copy" in box.surfaces.status.text()
    qtbot.waitUntil(lambda: len(scene.copies.shown) == 2, timeout=20000)
    assert box.surfaces.status.isHidden()
    copy = scene.copies.shown[image]
    assert copy.visible
    assert copy.data.shape == (20, 20, 20)
    assert copy.data.dtype == np.int16
    assert role_of(copy) == COPY
    assert kind_of(copy) is None
    expected = image.data.reshape(20, 20, 2, 20, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(copy.data, expected, atol=0.51)
    np.testing.assert_allclose(copy.data_to_world((3, 4, 5)), image.data_to_world((3, 8.5, 10.5)))
    assert scene.copies.shown[mask].data.max() == 2
    assert len(dock.views[0].model.layers) == 2
    # The copy looks like the volume.
    image.contrast_limits = (0, 80)
    assert copy.contrast_limits == [0, 80]
    # The eye of the volume is the eye of its copy.
    image.visible = True
    assert not image.visible
    assert image not in scene.copies.shown
    image.visible = True
    qtbot.waitUntil(lambda: image in scene.copies.shown, timeout=20000)
    window.dims.ndisplay = 2
    assert (image.visible, mask.visible, twin.visible) == (True, True, True)
    assert list(window.layers) == [image, mask]
    close_planes(window)
    qtbot.wait(50)


def test_what_fits_the_graphics_card_is_shown_as_it_is(box: Any, window: Any) -> None:
    window.dims.ndisplay = 3
    assert [layer.visible for layer in window.layers] == [True, True]
    assert len(window.layers) == 2


def test_bounds_are_memory_and_the_longest_side(box: Any, window: Any) -> None:
    copies = box.surfaces.scene.copies
    keep("volumes", "texture_mb", 16)
    long = window.add_image(np.broadcast_to(np.int16(0), (5000, 8, 8)), contrast_limits=(0, 1), visible=False)
    large = window.add_image(np.broadcast_to(np.int16(0), (200, 200, 200)), contrast_limits=(0, 1), visible=False)
    assert copies.steps(long)[0] >= 5000 / qt_viewer_of(window).canvas.max_texture_sizes[1]
    cells = np.prod([-(-200 // step) for step in copies.steps(large)])
    assert cells * 4 <= 16e6


def test_a_volume_that_arrives_in_3d_is_looked_at_too(box: Any, window: Any, qtbot: Any) -> None:
    scene = box.surfaces.scene
    window.dims.ndisplay = 3
    scene.copies.steps = lambda layer: (2, 2, 2)
    late = window.add_labels(np.ones(SHAPE, np.uint8), name="late")
    assert not late.visible
    qtbot.waitUntil(lambda: late in scene.copies.shown, timeout=20000)
    window.layers.remove(late)
    assert late not in scene.copies.shown
    assert [layer.name for layer in window.layers] == ["ct.nii", "mask"]


def test_many_values_give_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface_layers, "MOST", 3)
    mask = np.zeros((4, 30, 30), np.int32)
    for value in range(1, 7):
        mask[1:3, 4 * value : 4 * value + 3, : 2 + value] = value * 100
    events = list(making_surfaces(mask, (1, 1, 1), 0))
    assert any(isinstance(event, Noted) and "6 values" in event.message for event in events)
    assert isinstance(events[-1], Finished)
    assert list(events[-1].result.by_value) == [400, 500, 600]


def test_a_surface_of_many_triangles_gets_lighter_without_losing_a_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_medpatch.io.surface import mask_surface

    z, y, x = np.mgrid[:40, :40, :40] - 20
    mask = (z**2 + y**2 + x**2 < 15**2).astype(np.uint8)
    mask[37, 2:38, 2:38] = 2
    whole = {value: len(mask_surface(mask, value, smooth=5)[1]) for value in (1, 2)}
    made = run(making_surfaces(mask, (1, 1, 1), 5, most=10**6))
    assert {value: len(faces) for value, (_, faces) in made.by_value.items()} == whole
    assert not made.coarser
    monkeypatch.setattr(surface_layers, "_FEWEST", 100)
    made = run(making_surfaces(mask, (1, 1, 1), 5, most=whole[1] // 4))
    corners, faces = made.by_value[1]
    assert made.coarser
    assert whole[1] / 20 < len(faces) <= whole[1] / 4
    assert np.abs(np.linalg.norm(corners - 20, axis=1) - 15).max() < 1.5
    corners, faces = made.by_value[2]
    assert corners[:, 1:].min(axis=0) == pytest.approx((1.5, 1.5), abs=3)
    assert corners[:, 1:].max(axis=0) == pytest.approx((37.5, 37.5), abs=3)
    assert len(np.unique(faces)) == len(corners), "no corner is left over"


def test_background_strokes_are_no_structure(window: Any) -> None:
    image = window.layers[0]
    strokes = Labels(np.ones(SHAPE, np.uint8), metadata=provenance(image, "sparse labels"))
    assert values_without_surface(strokes) == (1,)
    assert values_without_surface(window.layers["mask"]) == ()
    with pytest.raises(LabelsError, match="empty"):
        run(making_surfaces(strokes.data, (1, 1, 1), 0, skip=(1,)))


def test_a_renamed_mask_is_listed_by_its_new_name(box: Any, window: Any) -> None:
    combo = box.surfaces.mask_combo
    window.layers["mask"].name = "lungs"
    assert [combo.itemText(index) for index in range(combo.count())] == ["lungs"]
