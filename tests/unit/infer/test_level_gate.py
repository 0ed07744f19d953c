"""The choice of a level by comparing scores."""

import numpy as np
import pytest

from napari_medpatch.infer.level_gate import FEW, LIMIT, SAMPLE, Agreed, agreeing_level, coarser_levels
from napari_medpatch.infer.patch_scorer import PatchScorer


def _boxes(count: int) -> np.ndarray:
    starts = [(y, x) for y in range(0, 577, 32) for x in range(0, 577, 32)][:count]
    return np.array([[y, x, y + 64, x + 64] for y, x in starts], np.int64)


def _chosen(source, boxes, levels, scorer) -> int:
    *trials, last = list(agreeing_level(source, boxes, levels, scorer))
    assert isinstance(last, Agreed)
    assert all(isinstance(level, int) for level in trials)
    return last.level


def test_only_stored_levels_that_are_fine_enough_are_tried(pyramid) -> None:
    source = pyramid(np.zeros((900, 900, 3), np.uint8), downsamples=(2.0, 4.0, 8.0))
    assert coarser_levels(source, 4.0) == [2, 1]
    assert coarser_levels(source, 1.9) == []
    source.synthetic = (False, True, False, False)
    assert coarser_levels(source, 4.0) == [2]


@pytest.mark.parametrize(("offset", "level"), [(0, 1), (40, 0)])
def test_the_level_must_score_as_level_0(pyramid, mean_colour, offset: int, level: int) -> None:
    source = pyramid(np.full((640, 640, 3), 100, np.uint8), downsamples=(2.0,))
    # The logits are red and green: more red at the coarse level is another score.
    source._arrays[1][..., 0] += np.uint8(offset)
    scorer = PatchScorer(mean_colour(), device="cpu")
    assert _chosen(source, _boxes(300), [1], scorer) == level


def test_the_limit_is_of_the_mean(pyramid, mean_colour) -> None:
    source = pyramid(np.full((640, 640, 3), 100, np.uint8), downsamples=(2.0,))
    source._arrays[1][:32, :32, 0] += np.uint8(4)
    scorer = PatchScorer(mean_colour(), device="cpu")
    one_patch = 4 / 255 * 2 * 4 / 4
    assert one_patch > LIMIT > one_patch / SAMPLE
    assert _chosen(source, _boxes(300), [1], scorer) == 1


def test_few_patches_are_not_worth_a_comparison(pyramid, mean_colour) -> None:
    source = pyramid(np.full((640, 640, 3), 100, np.uint8), downsamples=(2.0,))
    bundle = mean_colour()
    assert _chosen(source, _boxes(FEW), [1], PatchScorer(bundle, device="cpu")) == 0
    assert bundle.batches == []
    assert _chosen(source, _boxes(300), [], PatchScorer(bundle, device="cpu")) == 0


def test_stopping_the_comparison_stops_its_threads(pyramid, mean_colour) -> None:
    import threading

    source = pyramid(np.full((640, 640, 3), 100, np.uint8), downsamples=(2.0,))
    trial = agreeing_level(source, _boxes(300), [1], PatchScorer(mean_colour(), device="cpu", batch_size=2))
    assert next(trial) == 0
    trial.close()
    assert not [t for t in threading.enumerate() if t.name.startswith(("medpatch-lane", "medpatch-feed"))]
