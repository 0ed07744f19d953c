import numpy as np
import pytest

from napari_medpatch.distinct import distinct_pairs


@pytest.mark.parametrize(
    ("size", "highest", "dtype"), [(0, 3, np.int64), (1, 1, np.int32), (5000, 40, np.int32), (5000, 2**31, np.int64)]
)
def test_it_gives_what_numpy_gives_in_the_same_order(size: int, highest: int, dtype: type) -> None:
    first, second = np.random.default_rng(0).integers(0, highest, (2, size)).astype(dtype)
    found = distinct_pairs(first, second)
    assert found.dtype == np.int64
    assert np.array_equal(found, np.unique(np.stack([first, second]), axis=1))


def test_numbers_that_are_zero_are_pairs_too() -> None:
    assert distinct_pairs(np.array([0, 2, 0]), np.array([0, 0, 0])).tolist() == [[0, 2], [0, 0]]
