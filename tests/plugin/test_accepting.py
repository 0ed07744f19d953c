"""Large acceptances are cut into pieces that the window can take, and add up to the whole."""

from typing import Any

import numpy as np
import pytest

from napari_medpatch.annotate.origins import INTERPOLATED
from napari_medpatch.events import Finished, run
from napari_medpatch.plugin.accepted import accepted_of
from napari_medpatch.plugin.accepting import Acceptor, Located, locating


def located(proposal: np.ndarray, labels: np.ndarray, region: tuple[slice, ...] | None = None) -> Located:
    whole = tuple(slice(0, n) for n in labels.shape)
    return run(locating(proposal, labels, region or whole, INTERPOLATED))


@pytest.mark.parametrize("shape", [(6, 200, 300), (400, 500)])
def test_pieces_are_small_and_add_up(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    proposal, labels = (generator.integers(0, 3, shape).astype(np.uint8) for _ in range(2))
    found = located(proposal, labels)
    filled = labels.copy()
    for indices, values in found.chunks:
        assert len(values) <= 50_000
        assert not filled[indices].any()
        filled[indices] = values
    np.testing.assert_array_equal(filled, np.where(labels > 0, labels, proposal))
    assert found.voxels == ((labels == 0) & (proposal > 0)).sum()


def test_a_region_bounds_what_is_filled_in() -> None:
    proposal, labels = np.full((4, 10, 10), 2, np.uint8), np.zeros((4, 10, 10), np.uint8)
    found = located(proposal, labels, (slice(0, 4), slice(3, 4), slice(0, 10)))
    assert found.voxels == 40
    assert (found.part.box.start, found.part.box.stop) == ((0, 3, 0), (4, 4, 10))
    assert located(np.zeros_like(proposal), labels).part is None


def test_the_search_can_be_stopped_between_slices() -> None:
    job = locating(np.full((4, 9, 9), 2, np.uint8), np.zeros((4, 9, 9), np.uint8), (slice(0, 9),) * 3, INTERPOLATED)
    assert sum(not isinstance(event, Finished) for event in job) == 5


def test_many_voxels_are_one_step_of_the_history(viewer: Any, qtbot: Any) -> None:
    layer = viewer.add_labels(np.zeros((6, 200, 300), np.uint8))
    acceptor = Acceptor()
    proposal = np.full(layer.data.shape, 2, np.uint8)
    with qtbot.waitSignal(acceptor.filled, timeout=20000):
        acceptor.accept(layer, lambda: proposal, tuple(slice(0, n) for n in layer.data.shape), INTERPOLATED)
    assert (layer.data == 2).all()
    assert accepted_of(layer)
    layer.undo()
    assert not layer.data.any()
    assert not accepted_of(layer)
