import numpy as np
import pytest

from napari_medpatch.errors import GeometryError
from napari_medpatch.samples import make_fundus
from napari_medpatch.samples.fundus_vessels import grow_vessels


@pytest.fixture(scope="module")
def eye():
    return make_fundus((192, 224), seed=3, lesions=30)


def test_shapes_and_types(eye):
    assert eye.image.shape == (192, 224, 3)
    assert eye.image.dtype == np.uint8
    for mask in (eye.vessels, eye.disc, eye.lesions, eye.fov):
        assert mask.shape == (192, 224)
        assert mask.dtype == bool


def test_everything_lies_inside_the_field_of_view(eye):
    for mask in (eye.vessels, eye.disc, eye.lesions):
        assert mask.any()
        assert not (mask & ~eye.fov).any()
    assert eye.image[~eye.fov].max() < 30


def test_colours_fit_the_truth(eye):
    green = eye.image[..., 1].astype(float)
    plain = eye.fov & ~eye.vessels & ~eye.disc & ~eye.lesions
    assert green[eye.vessels & ~eye.disc].mean() < green[plain].mean() - 5
    assert green[eye.disc].mean() > green[plain].mean() + 30


def test_vessels_cover_a_plausible_part():
    parts = [eye.vessels.sum() / eye.fov.sum() for eye in (make_fundus((160, 160), seed=s) for s in range(4))]
    assert all(0.02 < part < 0.25 for part in parts)


def test_the_seed_decides_and_lesions_can_be_left_out():
    first, again, other = (make_fundus((96, 96), seed=s, lesions=0) for s in (1, 1, 2))
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.vessels, other.vessels)
    assert not first.lesions.any()


def test_noise_can_be_switched_off():
    outside = [make_fundus((64, 64), seed=1, noise=noise) for noise in (0.0, 6.0)]
    assert np.ptp(outside[0].image[~outside[0].fov]) == 0
    assert np.ptp(outside[1].image[~outside[1].fov]) > 0


def test_vessels_start_at_the_disc_and_get_thinner():
    disc = (0.01, 0.17)
    vessels = grow_vessels(disc, 1.0, np.random.default_rng(0))
    roots = [v for v in vessels if np.hypot(*(v.points[0] - disc)) < 0.04]
    assert len(roots) >= 8
    assert {v.kind for v in vessels} == {"artery", "vein"}
    assert all((np.diff(v.radii) <= 0).all() for v in vessels)


def test_a_tiny_photograph_is_refused():
    with pytest.raises(GeometryError, match="too small"):
        make_fundus((20, 200))
