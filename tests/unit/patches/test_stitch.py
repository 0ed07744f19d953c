"""Scores on their grid."""

import numpy as np

from napari_medpatch.patches.stitch import class_map, empty_map, gather, scatter


def test_scattered_scores_come_back_and_the_rest_is_nan() -> None:
    cells = np.array([[0, 2], [1, 0]])
    values = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    probabilities = empty_map(2, 3, 2)
    scatter(probabilities, cells, values)
    assert gather(probabilities, cells).tolist() == values.tolist()
    assert probabilities.dtype == np.float32
    assert np.isnan(probabilities).sum() == 8


def test_class_map_is_a_mask() -> None:
    probabilities = empty_map(1, 3, 2)
    scatter(probabilities, np.array([[0, 0], [0, 2]]), np.array([[0.9, 0.1], [0.6, 0.4]], np.float32))
    assert class_map(probabilities).tolist() == [[1, 0, 1]]
    assert class_map(probabilities, threshold=0.3).tolist() == [[1, 0, 2]]
    assert class_map(probabilities).dtype == np.uint8
