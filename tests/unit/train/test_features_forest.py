"""Filter responses and the forest on them."""

import numpy as np
import pytest

from napari_medpatch.train.features import SCALES, filter_bank, positions
from napari_medpatch.train.forest import fit_forest, forest_probabilities


def test_one_row_per_pixel():
    volume = np.random.default_rng(0).random((1, 5, 6, 7)).astype(np.float32)
    assert filter_bank(volume).shape == (210, 1 + 3 * len(SCALES))
    picture = np.random.default_rng(0).random((3, 8, 9)).astype(np.float32)
    assert filter_bank(picture).shape == (72, 1 + 6 * len(SCALES))


def test_a_flat_image_has_no_slope():
    features = filter_bank(np.full((1, 6, 6, 6), 0.3, np.float32))
    np.testing.assert_allclose(features[:, 0], 0.3)
    np.testing.assert_allclose(features[:, 2], 0, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 5, 5), (1, 1, 6), (1, 1, 1)])
def test_thin_images_are_filtered_along_the_axes_they_have(shape):
    features = filter_bank(np.random.default_rng(0).random((1, *shape)).astype(np.float32))
    assert len(features) == np.prod(shape)
    assert np.isfinite(features).all()


def test_positions_follow_array_order():
    where = positions((2, 3))
    assert where.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


def test_the_forest_learns_and_is_repeatable():
    generator = np.random.default_rng(0)
    features = generator.random((400, 3)).astype(np.float32)
    truth = (features[:, 1] > 0.5).astype(np.uint8)
    labels = np.where(np.arange(400) < 200, truth + 1, 0).astype(np.uint8)
    grown = [fit_forest(features, labels, trees=10, per_class=50, seed=3) for _ in range(2)]
    first, second = (forest_probabilities(forest, features, 2) for forest in grown)
    np.testing.assert_array_equal(first, second)
    assert (first.argmax(0)[200:] == truth[200:]).mean() > 0.95
    np.testing.assert_allclose(first.sum(0), 1, atol=1e-6)


def test_classes_without_paint_get_no_probability():
    features = np.random.default_rng(0).random((20, 2)).astype(np.float32)
    labels = np.repeat([1, 3], 10).astype(np.uint8)
    probabilities = forest_probabilities(fit_forest(features, labels, trees=5, per_class=10, seed=0), features, 4)
    assert probabilities.shape == (4, 20)
    assert not probabilities[[1, 3]].any()
