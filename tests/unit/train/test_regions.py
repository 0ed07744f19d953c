"""Pieces that hang together with paint, random walks, certain paint."""

import numpy as np

from napari_medpatch.train.regions import anchor, paint_over, random_walk, unanchored


def test_pieces_without_paint_of_their_class_are_loose():
    estimate = np.zeros((3, 8, 8), int)
    estimate[:, 1:3, 1:3] = 1
    estimate[:, 5:7, 5:7] = 1
    labels = np.zeros(estimate.shape, np.uint8)
    labels[1, 1, 1] = 2
    labels[1, 5, 5] = 1
    loose = unanchored(estimate, labels)
    assert loose[:, 5:7, 5:7].all()
    assert loose.sum() == 12


def test_a_class_nobody_painted_is_left_alone():
    estimate = np.ones((2, 3, 3), int)
    assert not unanchored(estimate, np.zeros(estimate.shape, np.uint8)).any()


def test_anchoring_makes_loose_pieces_background():
    probabilities = np.zeros((2, 1, 1, 7), np.float32)
    probabilities[1, 0, 0, [0, 1, 5]] = 0.9
    probabilities[0] = 1 - probabilities[1]
    labels = np.zeros((1, 1, 7), np.uint8)
    labels[0, 0, 0] = 2
    result = anchor(probabilities, labels)
    assert result[:, 0, 0, 5].tolist() == [1, 0]
    np.testing.assert_allclose(result[1, 0, 0, :2], 0.9)


def test_a_walk_stops_at_edges():
    image = np.zeros((4, 12, 12), np.float32)
    image[:, :, 6:] = 1
    probabilities = np.full((2, 4, 12, 12), 0.5, np.float32)
    labels = np.zeros(image.shape, np.uint8)
    labels[1, 5, 1], labels[1, 5, 10] = 1, 2
    walked = random_walk(image, probabilities, labels)
    np.testing.assert_array_equal(walked.argmax(0) == 1, image > 0.5)
    np.testing.assert_allclose(walked.sum(0), 1, atol=1e-5)


def test_a_walk_needs_seeds_and_something_to_settle():
    image = np.zeros((3, 4, 4), np.float32)
    labels = np.zeros(image.shape, np.uint8)
    unsure = np.full((2, 3, 4, 4), 0.5, np.float32)
    assert random_walk(image, unsure, labels) is unsure
    sure = np.zeros_like(unsure)
    sure[0] = 1
    sure[:, 0, 0, 0] = (0, 1)
    assert random_walk(image, sure, labels) is sure


def test_paint_is_certain():
    labels = np.array([[0, 1, 2]], np.uint8)
    result = paint_over(np.full((2, 1, 3), 0.5, np.float32), labels)
    assert result[:, 0].T.tolist() == [[0.5, 0.5], [1, 0], [0, 1]]
