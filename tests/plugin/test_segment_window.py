"""The Segment tab in a real window gives what the job gives, on the image it was started on."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from window_jobs import finish

from napari_medpatch.events import run
from napari_medpatch.infer.segment import segment
from napari_medpatch.io.detect import open_source
from napari_medpatch.plugin.layers import layer_data, role_of
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.segment_widget import SegmentWidget


@pytest.fixture(scope="module")
def thorax_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small phantom CT in a file with an oblique affine."""
    import nibabel

    from napari_medpatch.samples import make_thorax

    path = tmp_path_factory.mktemp("ct") / "thorax.nii.gz"
    thorax = make_thorax((20, 48, 56), spacing=(8.0, 6.0, 6.0), oblique=True)
    nibabel.save(nibabel.Nifti1Image(thorax.hu.transpose(2, 1, 0), thorax.affine), path)
    return path


@pytest.fixture
def tab(viewer: Any, unet: Any) -> SegmentWidget:
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment")
    return widget


def by_role(viewer: Any, role: str) -> list[Any]:
    return [layer for layer in viewer.layers if role_of(layer) == role]


def test_run_shows_what_the_job_computes(tab: SegmentWidget, qtbot: Any, unet: Any, thorax_file: Path) -> None:
    viewer = tab.viewer
    assert "Open a CT volume" in tab.explanation.text()
    (image,) = open_paths(viewer, [thorax_file])
    assert tab.explanation.text() == ""
    tab.model.choose("tiny-unet")
    finish(qtbot, tab.runner, lambda: qtbot.mouseClick(tab.row.run_button, Qt.MouseButton.LeftButton))
    with closing(open_source(thorax_file)) as source:
        expected = run(segment(source, unet))
    (mask,), (chances,) = by_role(viewer, "mask"), by_role(viewer, "probability")
    assert mask.data.dtype == chances.data.dtype == np.uint8
    assert np.array_equal(mask.data, expected.mask)
    assert np.array_equal(chances.data, expected.probabilities[0])
    for layer in (mask, chances):
        np.testing.assert_allclose(layer.data_to_world((3, 5, 7)), image.data_to_world((3, 5, 7)))
        assert layer.units == image.units
        assert layer.axis_labels == ("z", "y", "x")
    assert mask.metadata["medpatch"]["class_names"] == ["ball"]
    assert mask.metadata["medpatch"]["provenance"]["model"]
    assert viewer.layers.selection.active is image
    assert "Finished in" in tab.row.message.text()


def test_result_goes_to_the_image_the_run_was_started_on(
    tab: SegmentWidget, qtbot: Any, unet: Any, volume: Any, photo: Any, said: list[str]
) -> None:
    viewer = tab.viewer
    ((data, attributes, _),) = layer_data(volume)
    image = viewer.add_image(data, **attributes)
    tab.model.choose("tiny-unet")

    def start_and_look_away() -> None:
        tab.row.run_button.click()
        ((other, more, _),) = layer_data(photo)
        viewer.add_image(other, **more)

    assert not tab.row.subject.isVisibleTo(tab)
    finish(qtbot, tab.runner, start_and_look_away)
    assert tab.current.kind == "photo"
    assert tab.row.subject.isVisibleTo(tab)
    assert tab.row.subject.text() == "About ball.nii.gz, not the image in view:"
    image.name = "patient 7"
    assert "About patient 7," in tab.row.subject.text()
    (mask,) = by_role(viewer, "mask")
    assert mask.name.startswith("ball.nii.gz")
    viewer.layers.selection.active = mask
    assert not tab.row.subject.isVisibleTo(tab)
    viewer.layers.selection.active = viewer.layers["disc.png"]
    # Nothing fits the photograph, and the tab says so instead of going grey.
    assert "No model" in tab.model.card.text() + tab.model_note.text()
    # Without its image a running job ends, and says why.
    viewer.layers.selection.active = image
    tab.row.run_button.click()
    with qtbot.waitSignal(tab.runner.idle, timeout=30000):
        viewer.layers.remove(image)
    assert len(by_role(viewer, "mask")) == 1
    assert any("was removed" in sentence for sentence in said)
    assert tab.row.subject.text() == "About patient 7, which was removed:"


def test_a_plain_napari_layer_is_segmented_too(tab: SegmentWidget, qtbot: Any, unet: Any, volume: Any) -> None:
    viewer = tab.viewer
    viewer.add_image(volume.data, scale=(2.5, 1, 1), units=("mm",) * 3, name="plain")
    tab.probabilities.setChecked(False)
    tab.model.choose("tiny-unet")
    finish(qtbot, tab.runner, tab.row.run_button.click)
    (mask,) = by_role(viewer, "mask")
    assert np.array_equal(mask.data, run(segment(volume, unet)).mask)
    assert by_role(viewer, "probability") == []


def test_a_broken_model_is_one_sentence(
    tab: SegmentWidget, qtbot: Any, unet: Any, volume: Any, said: list[str]
) -> None:
    ((data, attributes, _),) = layer_data(volume)
    tab.viewer.add_image(data, **attributes)
    tab.model.choose("tiny-unet")
    weights = unet.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    began = time.monotonic()
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert time.monotonic() - began < 30
    assert tab.row.message.text() in said
    assert tab.row.message.text().count("\n") == 0
    assert tab.row.run_button.isEnabled()
