"""Growing and shrinking by a disc."""

import numpy as np
import pytest
from scipy import ndimage

from napari_medpatch.patches.disc import closed, grown, opened, shrunk


@pytest.fixture
def mask() -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(70, 90)), 2) > 0.05


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 7])
def test_a_disc_is_all_within_its_radius(mask, radius) -> None:
    assert np.array_equal(grown(mask, radius), ndimage.distance_transform_edt(~mask) <= radius)
    assert np.array_equal(shrunk(mask, radius), ndimage.distance_transform_edt(mask) > radius)


@pytest.mark.parametrize("radius", [1, 3, 5])
def test_opening_takes_away_and_closing_adds(mask, radius) -> None:
    assert not (opened(mask, radius) & ~mask).any()
    assert not (mask & ~closed(mask, radius)).any()


def test_what_reaches_the_edge_of_the_picture_is_not_thinned_there() -> None:
    band = np.zeros((40, 40), bool)
    band[:5] = True
    assert np.array_equal(opened(band, 4), band)
    band[8:12] = True
    assert not opened(band, 4)[8:12].any()
    assert closed(band, 2)[:12].all()


def test_nothing_and_everything_stay() -> None:
    for value in (False, True):
        full = np.full((20, 20), value)
        for change in (grown, shrunk, opened, closed):
            assert np.array_equal(change(full, 3), full)
    assert np.array_equal(grown(np.eye(5, dtype=bool), 0), np.eye(5, dtype=bool))
