"""Which parts of two slices belong together."""

import numpy as np
from round_shapes import disc

from napari_medpatch.annotate.part_pairs import pair_parts

SIZE = (60, 60)


def pairs(here, there):
    return list(pair_parts(here, there, (1.0, 1.0)))


def test_parts_that_overlap_belong_together():
    here = disc(SIZE, (15, 15), 6) | disc(SIZE, (45, 45), 6)
    found = pairs(here, disc(SIZE, (16, 17), 5) | disc(SIZE, (44, 44), 8))
    assert len(found) == 2
    assert all(pair.single for pair in found)


def test_branches_stay_with_their_trunk():
    trunk = disc(SIZE, (30, 30), 15)
    (pair,) = pairs(trunk, disc(SIZE, (30, 20), 5) | disc(SIZE, (30, 40), 5))
    assert not pair.single
    assert pair.there.sum() == disc(SIZE, (30, 20), 5).sum() * 2


def test_a_part_that_moved_out_of_itself_is_followed_for_the_sum_of_the_radii():
    (pair,) = pairs(disc(SIZE, (30, 20), 5), disc(SIZE, (30, 30.5), 6))
    assert pair.here.any()
    assert pair.there.any()
    apart = pairs(disc(SIZE, (30, 10), 5), disc(SIZE, (30, 40), 5))
    assert len(apart) == 2


def test_windows_hold_their_parts_only():
    here, empty = disc(SIZE, (15, 15), 6), np.zeros(SIZE, bool)
    (pair,) = pairs(here | disc(SIZE, (50, 50), 3), here)[:1]
    assert pair.here.shape == (17, 17)
    np.testing.assert_array_equal(pair.here, here[pair.window])
    assert pairs(empty, empty) == []
    assert [pair.there.any() for pair in pairs(here, empty)] == [False]
