"""While a segmentation runs in the window: what is looked at comes first, and Stop loses nothing."""

import time
from typing import Any

import numpy as np
import pytest
from window_jobs import finish

from napari_medpatch.events import BlockSegmented, run
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.plugin.layers import layer_data, role_of
from napari_medpatch.plugin.segment_widget import SegmentWidget
from napari_medpatch.plugin.unfinished import unfinished_folder
from napari_medpatch.plugin.view_place import place_in_view


@pytest.fixture
def tab(viewer: Any, unet: Any, volume: Any, monkeypatch: pytest.MonkeyPatch) -> SegmentWidget:
    """The tab, with a volume that is worked through in slow slabs."""
    from napari_medpatch.infer import block_store, network_pass
    from napari_medpatch.infer.network_stream import NetworkStream

    monkeypatch.setattr(network_pass, "_ONCE_FLOATS", 0)
    monkeypatch.setattr(network_pass, "_SLAB_VOXELS", 2600)
    monkeypatch.setattr(block_store, "_EVERY_SECONDS", -1.0)
    rows = NetworkStream.rows

    def slow(self: NetworkStream, *where: int) -> Any:
        time.sleep(0.15)
        return (yield from rows(self, *where))

    monkeypatch.setattr(NetworkStream, "rows", slow)
    ((data, attributes, _),) = layer_data(volume)
    viewer.add_image(data, **attributes)
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment")
    widget.model.choose("tiny-unet")
    return widget


def by_role(viewer: Any, role: str) -> list[Any]:
    return [layer for layer in viewer.layers if role_of(layer) == role]


def watched(tab: SegmentWidget) -> list[BlockSegmented]:
    """Blocks as they arrive."""
    blocks: list[BlockSegmented] = []
    tab.runner.progressed.connect(
        lambda events: blocks.extend(event for event in events if isinstance(event, BlockSegmented))
    )
    return blocks


def test_uncertainty_is_a_layer_if_wanted(tab: SegmentWidget, qtbot: Any, unet: Any, volume: Any) -> None:
    tab.uncertainty.setChecked(True)
    tab.probabilities.setChecked(False)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    expected = run(segment(volume, unet, SegmentSettings(uncertainty=True)))
    (doubt,), (mask,) = by_role(tab.viewer, "uncertainty"), by_role(tab.viewer, "mask")
    assert np.array_equal(doubt.data, expected.uncertainty)
    assert doubt.data.dtype == np.uint8
    assert doubt.data.max() > 100
    assert np.array_equal(mask.data, expected.mask)
    assert np.array_equal(doubt.scale, mask.scale)
    assert by_role(tab.viewer, "probability") == []
    assert not unfinished_folder(volume, "tiny-unet").exists()


def test_the_slice_in_view_comes_first(tab: SegmentWidget, qtbot: Any) -> None:
    tab.viewer.dims.set_point(0, 8 * 2.5)
    (image,) = [layer for layer in tab.viewer.layers if not role_of(layer)]
    assert place_in_view(tab.viewer, image)[0] == pytest.approx(8)
    blocks = watched(tab)
    finish(qtbot, tab.runner, tab.row.run_button.click)
    assert blocks[0].box.start[0] <= 8 < blocks[0].box.stop[0]
    assert min(block.box.start[0] for block in blocks) == 0


def test_stop_keeps_what_is_done_and_the_next_run_goes_on(
    tab: SegmentWidget, qtbot: Any, unet: Any, volume: Any
) -> None:
    tab.viewer.dims.set_point(0, 0)
    blocks = watched(tab)

    def start_and_stop() -> None:
        tab.row.run_button.click()
        qtbot.waitUntil(lambda: len(blocks) >= 2, timeout=60000)
        tab.row.stop_button.click()

    finish(qtbot, tab.runner, start_and_stop)
    expected = run(segment(volume, unet))
    (mask,) = by_role(tab.viewer, "mask")
    assert tab.row.message.text().endswith("finished blocks are kept, and Run goes on from there.")
    facts = mask.metadata["medpatch"]["provenance"]
    assert facts["partial"]
    assert 0 < facts["share_done"] < 1
    done = np.zeros(volume.data.shape, bool)
    for block in blocks:
        done[block.box.slices] = True
    assert np.array_equal(mask.data[done], expected.mask[done])
    finish(qtbot, tab.runner, tab.row.run_button.click)
    (mask,) = by_role(tab.viewer, "mask")
    facts = mask.metadata["medpatch"]["provenance"]
    assert facts["resumed_blocks"] >= 2
    assert "partial" not in facts
    assert np.array_equal(mask.data, expected.mask)
    assert len(by_role(tab.viewer, "probability")) == 1
    assert not unfinished_folder(volume, "tiny-unet").exists()


def test_a_run_that_was_stopped_at_once_says_that_nothing_is_kept(tab: SegmentWidget, qtbot: Any) -> None:
    def start_and_stop() -> None:
        tab.row.run_button.click()
        tab.row.stop_button.click()

    finish(qtbot, tab.runner, start_and_stop)
    assert tab.row.message.text() == "Stopped before the first block was finished."
    assert by_role(tab.viewer, "mask") == []


def test_half_a_mask_goes_with_its_image(tab: SegmentWidget, qtbot: Any, said: list[str]) -> None:
    image = tab.viewer.layers[0]

    def start_and_remove_the_image() -> None:
        tab.row.run_button.click()
        qtbot.waitUntil(lambda: bool(by_role(tab.viewer, "mask")), timeout=20000)
        tab.viewer.layers.remove(image)

    finish(qtbot, tab.runner, start_and_remove_the_image)
    assert not list(tab.viewer.layers)
    assert any("was removed" in sentence for sentence in said)
