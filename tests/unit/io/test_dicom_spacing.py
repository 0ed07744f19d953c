"""Even, gapped and irregular positions of slices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_medpatch.io.dicom_spacing import even_runs, lattice


@given(
    st.integers(2, 60),
    st.floats(0.05, 20),
    st.floats(-1000, 1000),
    st.integers(0, 2**32 - 1),
)
def test_even_positions_are_one_run_at_their_places(count: int, step: float, start: float, seed: int) -> None:
    jitter = np.random.default_rng(seed).uniform(-0.04, 0.04, count) * step
    found = lattice(start + step * np.arange(count) + jitter)
    assert found is not None
    assert found.places == tuple(range(count))
    assert found.missing == ()
    assert found.step == pytest.approx(step, rel=0.1)


@given(st.integers(20, 80), st.floats(0.3, 10), st.data())
def test_few_missing_slices_leave_the_others_in_place(count: int, step: float, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.integers(1, count - 2), max_size=2))
    there = [n for n in range(count) if n not in gone]
    found = lattice(np.array(there) * step - 50)
    assert found is not None
    assert found.places == tuple(there)
    assert found.missing == tuple(sorted(gone))


@pytest.mark.parametrize("distances", [[], [3.5]])
def test_a_single_slice_has_no_step(distances: list[float]) -> None:
    found = lattice(np.array(distances))
    assert found is not None
    assert (found.step, found.missing if distances else ()) == (0.0, ())


def test_a_missing_slice_beside_a_long_gap_does_not_divide_its_part() -> None:
    below, above = [*range(10), *range(11, 40)], [*range(100, 130)]
    assert even_runs(np.array(below + above, dtype=float)) == [slice(0, 39), slice(39, 69)]


def test_parts_of_other_spacing_are_runs() -> None:
    distances = np.concatenate([np.arange(10) * 1.0, 10 + np.arange(8) * 5.0, 50 + np.arange(9) * 2.5])
    assert even_runs(distances) == [slice(0, 11), slice(11, 19), slice(19, 27)]


def test_positions_without_a_rule_are_no_runs() -> None:
    assert even_runs(np.cumsum(np.random.default_rng(3).uniform(0.5, 5, 30))) is None


def test_most_of_a_volume_is_never_made_up() -> None:
    assert lattice(np.array([0.0, 1, 4, 8, 12, 16])) is None
