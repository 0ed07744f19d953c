import numpy as np
import pytest

from napari_medpatch.samples.shapes import Segment, make_canvas, smooth_noise


def canvas(shape=(24, 30, 36), spacing=(2.0, 2.0, 2.0)):
    return make_canvas(shape, spacing, (0.0, 0.0, 0.0), 0.0, np.random.default_rng(0))


@pytest.mark.parametrize("period", [1.0, 4.0, 50.0])
def test_smooth_noise_has_the_shape_and_is_smoother_for_longer_periods(period):
    field = smooth_noise((40, 50), period, np.random.default_rng(1))
    assert field.shape == (40, 50)
    assert field.dtype == np.float32
    assert np.abs(np.diff(field, axis=0)).mean() < 3 / period


def test_voxel_coordinates_are_centred_and_in_mm():
    page = canvas()
    assert page.z[:, 0, 0].tolist() == pytest.approx([2.0 * (i - 11.5) for i in range(24)])
    assert page.x[0, 0, 1] - page.x[0, 0, 0] == pytest.approx(2.0)


def test_the_share_of_an_ellipsoid_adds_up_to_its_volume():
    page = canvas()
    distance, box = page.ellipsoid((1.0, -2.0, 3.0), (14.0, 16.0, 18.0))
    volume = page.share(distance).sum() * 8
    assert volume == pytest.approx(4 / 3 * np.pi * 14 * 16 * 18, rel=0.03)
    assert page.hu[box].shape == distance.shape


def test_paint_blends_only_inside_the_box():
    page = canvas()
    distance, box = page.ellipsoid((0.0, 0.0, 0.0), (6.0, 6.0, 6.0))
    page.paint(page.share(distance), 100.0, box)
    assert page.hu.max() == pytest.approx(100.0)
    assert page.hu[0, 0, 0] == -1000


def test_a_tube_tapers_from_one_radius_to_the_other():
    page = canvas()
    tube = page.tubes([Segment((-20.0, 0.0, 0.0), (20.0, 0.0, 0.0), (8.0, 2.0))])
    inside = (tube < 0).sum((1, 2))
    assert inside[3] > 3 * inside[20]
    assert tube.max() == 1000


def test_a_shape_beyond_the_volume_paints_nothing():
    page = canvas()
    distance, box = page.ellipsoid((500.0, 0.0, 0.0), (5.0, 5.0, 5.0))
    page.paint(page.share(distance), 100.0, box)
    assert (page.hu == -1000).all()
