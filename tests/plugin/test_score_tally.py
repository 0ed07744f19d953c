"""Counts of a run's patches follow the patches, whatever the order of batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_medpatch.io.scores import winners
from napari_medpatch.plugin.operating_points import OperatingPoints
from napari_medpatch.plugin.score_tally import BINS, ScoreTally


def filled(rng: np.random.Generator, classes: int = 2, extras: tuple[str, ...] = ()) -> tuple[ScoreTally, np.ndarray]:
    names = [f"class {index}" for index in range(classes)]
    tally = ScoreTally(9, 7, names, extras)
    cells = np.argwhere(rng.random((9, 7)) < 0.7)
    values = rng.random((len(cells), classes)).astype(np.float32)
    for part in np.array_split(rng.permutation(len(cells)), 4):
        tally.put(cells[part], values[part], dict.fromkeys(extras, values[part, 0]))
    return tally, values


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(1, 4), threshold=st.floats(0, 1))
def test_counts_are_those_of_the_values(seed: int, classes: int, threshold: float) -> None:
    tally, values = filled(np.random.default_rng(seed), classes)
    assert tally.scored == len(values)
    for index, name in enumerate(tally.class_names):
        expected = np.histogram(values[:, index].astype(np.float64), BINS, (0, 1))[0]
        # A value on the edge of two bins may fall into either.
        assert np.abs(tally.histogram(name) - expected).sum() <= 2
        assert tally.histogram(name).sum() == len(values)
        assert tally.above(name, threshold) == (values[:, index] >= np.float32(threshold)).sum()


def test_scoring_a_patch_again_replaces_it() -> None:
    tally, values = filled(np.random.default_rng(3))
    cells = np.argwhere(np.isfinite(tally.values[0]))
    tally.put(cells, np.full_like(values, 0.25))
    assert tally.scored == len(values)
    assert tally.histogram("class 0")[12] == len(values)
    assert tally.histogram("class 0").sum() == len(values)
    tally.replace(np.full((9, 7, 2), 0.75, np.float32))
    assert tally.scored == 63
    assert tally.histogram("class 1")[37] == 63


def test_the_class_map_is_that_of_the_files() -> None:
    for classes, threshold in ((1, 0.6), (2, 0.3), (3, None)):
        tally, _ = filled(np.random.default_rng(classes), classes)
        expected = winners(np.moveaxis(tally.values, 0, -1), threshold) + 1
        assert np.array_equal(tally.class_map(threshold), expected)
        assert (tally.class_map(threshold)[np.isnan(tally.values[0])] == 0).all()


def test_attention_is_shown_relative_to_the_highest() -> None:
    tally, values = filled(np.random.default_rng(0), extras=("attention", "uncertainty"))
    shown = tally.shown("attention")
    assert np.nanmax(shown) == 1
    np.testing.assert_allclose(np.nanmin(shown), np.exp(values[:, 0].min() - values[:, 0].max()), rtol=1e-5)
    assert tally.shown("uncertainty") is tally.extras["uncertainty"]
    assert tally.histogram("attention").sum() == len(values)


@pytest.mark.parametrize(
    ("names", "threshold", "expected", "deciding"),
    [
        (("tumour",), 0.3, [0.3], 0.3),
        (("other", "tumour"), 0.3, [0.7, 0.3], 0.3),
        (("a", "b", "c"), 0.3, [0.5, 0.5, 0.5], None),
        (("other", "tumour"), None, [0.5, 0.5], 0.5),
    ],
)
def test_operating_points(
    names: tuple[str, ...], threshold: float | None, expected: list[float], deciding: float | None
) -> None:
    points = OperatingPoints(names, threshold)
    assert [points.of(name) for name in names] == pytest.approx(expected)
    assert points.deciding == deciding
    points.set(names[0], 0.9)
    assert points.of(names[0]) == 0.9
    assert points.deciding == {1: 0.9, 2: pytest.approx(0.1), 3: None}[len(names)]
    assert points.of("uncertainty") == 0
