"""Coarser copies of volumes: cells, means, masks, bounds."""

import numpy as np
import pytest

from napari_medpatch.io import coarse as module
from napari_medpatch.io.coarse import coarse_steps, coarse_volume
from napari_medpatch.steps import finish


def test_thick_slices_are_coarsened_last() -> None:
    assert coarse_steps((50, 200, 200), (5.0, 1.0, 1.0), 200_000) == (1, 4, 3)


def test_small_volumes_stay_as_they_are() -> None:
    assert coarse_steps((10, 20, 30), (1, 1, 1), 6000) == (1, 1, 1)


def test_no_side_is_longer_than_a_texture_may_be() -> None:
    steps = coarse_steps((5000, 64, 64), (1, 1, 1), 1e9, max_side=2048)
    assert steps == (3, 1, 1)


def test_bounds_that_cannot_be_met_end() -> None:
    assert coarse_steps((4, 4, 4), (1, 1, 1), 0.5) == (4, 4, 4)


@pytest.mark.parametrize("shape", [(6, 8, 9), (7, 9, 11)])
def test_cells_hold_the_mean_of_their_voxels_also_where_they_are_cut_off(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PIECE_VOXELS", 1)
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    coarse = finish(coarse_volume(volume, (2, 4, 3)))
    for cell in np.ndindex(coarse.shape):
        z, y, x = (slice(c * s, (c + 1) * s) for c, s in zip(cell, (2, 4, 3), strict=True))
        assert coarse[cell] == pytest.approx(volume[z, y, x].mean(), abs=1e-5)


def test_whole_numbers_are_rounded_and_keep_their_type() -> None:
    volume = np.array([-1000, -1001, -1001, -1001], np.int16).reshape(1, 2, 2)
    coarse = finish(coarse_volume(volume, (1, 2, 2)))
    assert coarse.dtype == np.int16
    assert coarse.tolist() == [[[-1001]]]


def test_a_single_voxel_of_a_mask_stays() -> None:
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[7, 4, 1] = 3
    coarse = finish(coarse_volume(mask, (2, 2, 2), "max"))
    assert np.argwhere(coarse).tolist() == [[3, 2, 0]]
    assert coarse.max() == 3


def test_the_share_that_is_done_grows_to_one() -> None:
    shares = list(coarse_volume(np.zeros((40, 600, 600), np.int16), (2, 2, 2)))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) >= 3
