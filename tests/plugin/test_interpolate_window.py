"""Between slices in a real window: propose, accept, undo; origins are kept and shown."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from window_jobs import finish

from napari_medpatch.annotate.interpolate import InterpolateSettings, interpolate
from napari_medpatch.annotate.project import Project
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.events import run
from napari_medpatch.plugin.accepted import accepted_of
from napari_medpatch.plugin.annotate_widget import AnnotateWidget
from napari_medpatch.plugin.layers import layer_data, like_source, provenance, role_of
from napari_medpatch.plugin.links import belongs_to
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.saving import save_labels

SLICES = (1, 5, 9)


@pytest.fixture
def truth() -> np.ndarray:
    """A leaning tube, ``(11, 40, 48) bool``."""
    z, y, x = np.indices((11, 40, 48))
    return (y - 20) ** 2 + (x - 16 - z) ** 2 < 64


@pytest.fixture
def ct_file(tmp_path: Path, truth: np.ndarray) -> Path:
    noise = np.random.default_rng(0).normal(0, 20, truth.shape)
    hu = (np.where(truth, 60, -90) + noise).astype(np.int16)
    affine = np.diag([-1.0, -1.0, 3.0, 1])
    nibabel.save(nibabel.Nifti1Image(hu.transpose(2, 1, 0), affine), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


@pytest.fixture
def tab(viewer: Any, ct_file: Path, truth: np.ndarray) -> AnnotateWidget:
    widget = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Paint")
    open_paths(viewer, [ct_file])
    widget.box.new_labels()
    labels = widget.box.labels()
    for index in SLICES:
        labels.data[index] = truth[index] + 1
    labels.refresh()
    widget.between.open(True)
    return widget


def propose(tab: AnnotateWidget, qtbot: Any) -> Any:
    finish(qtbot, tab.between.runner, tab.between.row.run_button.click)
    return tab.between.proposal


def accept(qtbot: Any, box: Any, button: Any) -> None:
    with qtbot.waitSignal(box.acceptor.filled, timeout=20000):
        button.click()


def project_of(tab: AnnotateWidget) -> Project:
    return Project.for_source(tab.current.live)


def test_proposing_changes_no_label_and_agrees_with_python(tab: AnnotateWidget, qtbot: Any) -> None:
    labels = tab.box.labels()
    before = labels.data.copy()
    layer = propose(tab, qtbot)
    np.testing.assert_array_equal(labels.data, before)
    expected = run(interpolate(tab.current.live, SparseLabels(before), InterpolateSettings()))
    np.testing.assert_array_equal(layer.data, expected.labels)
    assert role_of(layer) == "proposal"
    assert layer.contour == 1
    assert layer.metadata["medpatch"]["axis"] == "axial"
    np.testing.assert_allclose(layer.scale, labels.scale)
    assert tab.viewer.layers.selection.active is labels
    assert "3 axial slices" in tab.between.state.text()


def test_accepting_is_one_step_that_ctrl_z_takes_back_bit_for_bit(tab: AnnotateWidget, qtbot: Any) -> None:
    labels = tab.box.labels()
    bare = labels.data.copy()
    labels.paint((3, 8, 8), 1)
    before = labels.data.copy()
    proposed = propose(tab, qtbot).data.copy()
    labels.mode = "paint"
    accept(qtbot, tab.between, tab.between.accept_button)
    after = labels.data.copy()
    np.testing.assert_array_equal(after, np.where(before > 0, before, proposed))
    assert tab.between.proposal is None
    assert "proposal" not in [role_of(layer) for layer in tab.viewer.layers]
    assert labels.mode == "paint"
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)
    assert not accepted_of(labels)
    labels.redo()
    np.testing.assert_array_equal(labels.data, after)
    assert accepted_of(labels)
    # The strokes before it can still be undone.
    labels.undo()
    labels.undo()
    np.testing.assert_array_equal(labels.data, bare)
    assert (before != bare).any()


def test_what_was_accepted_and_undone_is_not_called_accepted(tab: AnnotateWidget, qtbot: Any) -> None:
    propose(tab, qtbot)
    counted: list[Any] = []
    tab.box.keeper.counted.connect(counted.append)
    accept(qtbot, tab.between, tab.between.accept_button)
    assert tab.between.state.text().endswith("voxels accepted; Ctrl+Z takes them back.")
    qtbot.waitUntil(lambda: bool(counted) and counted[-1].counts == tab.between._told, timeout=15000)
    assert tab.between.state.text().endswith("voxels accepted; Ctrl+Z takes them back.")
    tab.box.labels().undo()
    said = "The labels changed since; propose again to fill between them."
    qtbot.waitUntil(lambda: tab.between.state.text() == said, timeout=15000)


def test_one_slice_can_be_accepted_and_the_rest_discarded(tab: AnnotateWidget, qtbot: Any) -> None:
    labels, viewer = tab.box.labels(), tab.viewer
    before = labels.data.copy()
    proposed = propose(tab, qtbot).data.copy()
    viewer.dims.set_current_step(0, 3)
    accept(qtbot, tab.between, tab.between.slice_button)
    np.testing.assert_array_equal(labels.data[3], proposed[3])
    np.testing.assert_array_equal(np.delete(labels.data, 3, 0), np.delete(before, 3, 0))
    assert not tab.between.proposal.data[3].any()
    # What was accepted does not make the rest outdated.
    with qtbot.waitSignal(tab.box.keeper.counted, timeout=10000):
        tab.box.keeper.touch()
    assert not tab.between.proposal.name.endswith("(outdated)")
    tab.between.discard_button.click()
    assert tab.between.proposal is None
    assert not tab.between.accept_button.isEnabled()


def test_painting_on_marks_a_proposal_as_outdated_until_it_is_undone(tab: AnnotateWidget, qtbot: Any) -> None:
    labels, layer = tab.box.labels(), propose(tab, qtbot)
    labels.paint((3, 30, 40), 2)
    qtbot.waitUntil(lambda: layer.name.endswith("(outdated)"), timeout=10000)
    assert tab.between.state.text().startswith("Outdated")
    labels.undo()
    qtbot.waitUntil(lambda: not layer.name.endswith("(outdated)"), timeout=10000)
    assert tab.between.state.text().startswith("Proposed")


def test_what_cannot_be_proposed_is_one_sentence(tab: AnnotateWidget, qtbot: Any) -> None:
    tab.box.labels().data[...] = 0
    tab.box.labels().data[4] = 1
    finish(qtbot, tab.between.runner, tab.between.row.run_button.click)
    assert tab.between.row.message.text().startswith("Only background is painted")
    tab.viewer.layers.remove(tab.box.labels())
    tab.between.row.run_button.click()
    assert "New sparse labels" in tab.between.state.text()


def test_origins_are_saved_and_come_back(tab: AnnotateWidget, qtbot: Any, ct_file: Path) -> None:
    labels, viewer = tab.box.labels(), tab.viewer
    propose(tab, qtbot)
    accept(qtbot, tab.between, tab.between.accept_button)
    expected = accepted_of(labels).origins(labels.data)
    assert {1, 2} <= set(np.unique(expected))
    project = project_of(tab)

    def saved() -> bool:
        found = project.latest_labels() if project.has_labels() else None
        return found is not None and np.array_equal(found.labels.origins, expected)

    qtbot.waitUntil(saved, timeout=15000)
    viewer.layers.clear()
    open_paths(viewer, [ct_file])
    qtbot.waitUntil(lambda: not tab.box.resume_button.isHidden(), timeout=10000)
    tab.box.resume_button.click()
    again = tab.box.labels()
    assert again is not labels
    np.testing.assert_array_equal(accepted_of(again).origins(again.data), expected)


def test_origins_are_shown_and_follow_the_brush(tab: AnnotateWidget, qtbot: Any) -> None:
    labels = tab.box.labels()
    propose(tab, qtbot)
    accept(qtbot, tab.between, tab.between.accept_button)
    tab.origins.show_box.setChecked(True)

    def shown() -> Any:
        return next((layer for layer in tab.viewer.layers if role_of(layer) == "label origins"), None)

    qtbot.waitUntil(lambda: shown() is not None, timeout=10000)
    np.testing.assert_array_equal(shown().data, accepted_of(labels).origins(labels.data))
    assert shown().data[3, 20, 19] == 2
    labels.paint((3, 20, 19), 1)
    qtbot.waitUntil(lambda: shown().data[3, 20, 19] == 1, timeout=10000)
    assert "interpolated" in tab.origins.legend.text()
    counts = labels.metadata["medpatch"]["voxels_by_origin"]
    assert counts["painted"] == (shown().data == 1).sum()
    tab.origins.show_box.setChecked(False)
    assert shown() is None


def test_exported_labels_say_how_many_were_interpolated(tab: AnnotateWidget, qtbot: Any, tmp_path: Path) -> None:
    labels = tab.box.labels()
    propose(tab, qtbot)
    accept(qtbot, tab.between, tab.between.accept_button)
    qtbot.waitUntil(
        lambda: labels.metadata["medpatch"].get("voxels_by_origin", {}).get("interpolated", 0) > 0, timeout=10000
    )
    attributes = {"metadata": labels.metadata, "name": labels.name, "scale": labels.scale, "units": labels.units}
    path = save_labels(labels.data, attributes, tmp_path / "labels.nii.gz")
    note = nibabel.load(path).header.extensions[0].get_content()
    assert b"voxels_by_origin" in (note if isinstance(note, bytes) else str(note).encode())


def test_a_prediction_is_taken_in_as_predicted(tab: AnnotateWidget, qtbot: Any, truth: np.ndarray) -> None:
    from napari.layers import Labels

    labels, image = tab.box.labels(), tab.current.layer
    assert not tab.origins.all_button.isEnabled()
    metadata = provenance(image, "mask", class_names=["class 1"])
    mask = Labels(truth.astype(np.uint8), name="mask", metadata=metadata, **like_source(image))
    belongs_to(mask, image)
    tab.viewer.add_layer(mask)
    before = labels.data.copy()
    tab.viewer.layers.selection.active = labels
    tab.viewer.dims.set_current_step(0, 3)
    accept(qtbot, tab.origins, tab.origins.slice_button)
    np.testing.assert_array_equal(labels.data[3] == 2, truth[3])
    accept(qtbot, tab.origins, tab.origins.all_button)
    np.testing.assert_array_equal(labels.data, np.where(before > 0, before, 2 * truth))
    origins = accepted_of(labels).origins(labels.data)
    np.testing.assert_array_equal(origins == 3, truth & (before == 0))
    labels.undo()
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)


def test_pictures_have_no_slices_to_fill_between(tab: AnnotateWidget, photo: Any) -> None:
    assert not tab.between.isHidden()
    ((data, attributes, _),) = layer_data(photo)
    tab.viewer.add_image(data, **attributes)
    assert tab.between.isHidden()
