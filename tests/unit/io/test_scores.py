"""Which class a patch has."""

import numpy as np
import pytest

from napari_medpatch.io.scores import winners


@pytest.mark.parametrize(
    ("probabilities", "threshold", "expected"),
    [
        ([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]], None, [1, 0]),
        ([[0.2, 0.5, 0.3]], 0.1, [1]),
        ([[0.7, 0.3], [0.69, 0.31]], 0.31, [0, 1]),
        ([[0.49], [0.5]], None, [-1, 0]),
        ([[0.2], [0.1]], 0.15, [0, -1]),
        ([[np.nan, np.nan], [0.1, 0.9]], None, [-1, 1]),
    ],
)
def test_winners(probabilities, threshold, expected) -> None:
    found = winners(np.array(probabilities, np.float32), threshold)
    assert found.tolist() == expected
    assert found.dtype == np.int64
