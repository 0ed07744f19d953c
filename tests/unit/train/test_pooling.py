"""Labels on the working grid."""

import numpy as np

from napari_medpatch.infer.working_grid import WorkingGrid
from napari_medpatch.train.pooling import pool_labels


def pool(labels, steps, downsample=(1.0, 1.0, 1.0), classes=3):
    shape = [round(n * d) for n, d in zip(labels.shape, downsample, strict=False)]
    grid = WorkingGrid.centred(shape, steps)
    return pool_labels(labels, grid, downsample[: labels.ndim], classes)


def test_the_same_grid_gives_a_copy():
    labels = np.random.default_rng(0).integers(0, 3, (4, 4, 4)).astype(np.uint8)
    pooled = pool(labels, (1, 1, 1))
    np.testing.assert_array_equal(pooled, labels)
    assert not np.shares_memory(pooled, labels)


def test_painted_voxels_vote_and_unlabelled_ones_do_not():
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[0, 0, 0] = 2
    labels[2:, 2:, 2:] = 1
    labels[3, 3, 2:] = 3
    pooled = pool(labels, (2, 2, 2))
    assert pooled[0, 0, 0] == 2
    assert pooled[1, 1, 1] == 1
    assert np.count_nonzero(pooled) == 2


def test_finer_grids_repeat_labels_without_holes():
    labels = np.zeros((3, 4, 4), np.uint8)
    labels[1] = 2
    pooled = pool(labels, (0.5, 1, 1))
    assert pooled.shape == (6, 4, 4)
    assert (pooled[2:4] == 2).all()
    assert not pooled[:2].any()
    assert not pooled[4:].any()


def test_a_full_slice_stays_full_at_an_odd_ratio():
    labels = np.zeros((10, 33, 33), np.uint8)
    labels[5] = 1
    pooled = pool(labels, (1.7, 2.3, 0.8))
    rows = [plane.all() for plane in pooled]
    assert sum(rows) == 1
    assert np.count_nonzero(pooled) == pooled[0].size


def test_coarse_labels_of_a_slide_lie_where_they_were_painted():
    labels = np.zeros((8, 8), np.uint8)
    labels[2:4, 4:6] = 2
    grid = WorkingGrid.centred((32, 32), (4.0, 4.0))
    np.testing.assert_array_equal(pool_labels(labels, grid, (4.0, 4.0), 2), labels)
