import numpy as np
import pytest

from napari_medpatch.geometry import Box
from napari_medpatch.infer.decide import Decision
from napari_medpatch.infer.mask_canvas import MaskCanvas, changed

BOX = Box((1, 2), (3, 5))


def piece(rng: np.random.Generator) -> Decision:
    return Decision(*(rng.integers(1, 255, shape).astype(np.uint8) for shape in ((2, 3), (4, 2, 3), (2, 3))))


@pytest.mark.parametrize("probabilities", [True, False])
@pytest.mark.parametrize("uncertainty", [True, False])
def test_what_was_put_comes_back_in_another_canvas(probabilities: bool, uncertainty: bool) -> None:
    wanted = {"probabilities": probabilities, "uncertainty": uncertainty}
    one, other = (MaskCanvas((4, 6), 4, **wanted) for _ in range(2))
    given = piece(np.random.default_rng(0))
    one.put(BOX, given)
    assert other.put_planes(BOX, one.planes(BOX))
    for canvas in (one, other):
        found = canvas.piece(BOX)
        assert np.array_equal(found.labels, given.labels)
        assert (found.probabilities is not None) == probabilities
        assert (found.uncertainty is not None) == uncertainty
        assert not probabilities or np.array_equal(found.probabilities, given.probabilities)
        assert not uncertainty or np.array_equal(found.uncertainty, given.uncertainty)
    assert other.mask.sum() == given.labels.sum()


def test_planes_of_another_canvas_are_refused() -> None:
    canvas = MaskCanvas((4, 6), 4, probabilities=False, uncertainty=True)
    assert not canvas.put_planes(BOX, np.zeros((3, 2, 3), np.uint8))
    assert not canvas.put_planes(BOX, np.zeros((2, 2, 2), np.uint8))
    assert not canvas.put_planes(Box((1, 2), (3, 9)), np.zeros((2, 2, 7), np.uint8))
    assert not canvas.put_planes(BOX, np.zeros((2, 2, 3), np.int16))


def test_the_box_of_changes_is_the_smallest() -> None:
    before = np.zeros((5, 6, 7), np.uint8)
    assert changed(before, before.copy()) is None
    after = before.copy()
    after[1, 2, 3] = after[3, 2, 6] = 1
    assert changed(before, after) == Box((1, 2, 3), (4, 3, 7))
