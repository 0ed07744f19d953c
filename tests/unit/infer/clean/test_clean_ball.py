import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from napari_medpatch.infer.clean.ball import Ball


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.9), (0.5, 0.5)])
@pytest.mark.parametrize("radius", [0.4, 1.0, 2.5, 4.0])
def test_what_is_near_is_what_the_exact_distance_says(voxel: tuple[float, ...], radius: float) -> None:
    inside = np.random.default_rng(0).random((9, 17, 15)[-len(voxel) :]) < 0.02
    near = distance_transform_edt(~inside, sampling=voxel) <= radius + 1e-6
    assert np.array_equal(Ball(radius, voxel).dilated(inside), near)
    far = distance_transform_edt(inside, sampling=voxel) > radius + 1e-6
    assert np.array_equal(Ball(radius, voxel).eroded(inside), far)


def test_opening_and_closing_are_what_they_are_in_textbooks() -> None:
    inside = np.random.default_rng(1).random((12, 14, 16)) < 0.4
    ball = Ball(1.5, (1.0, 1.0, 1.0))
    opened, closed = ball.opened(inside), ball.closed(inside)
    assert not (opened & ~inside).any()
    assert not (inside & ~closed).any()
    assert np.array_equal(ball.opened(opened), opened)
    assert np.array_equal(ball.closed(closed), closed)


def test_the_nearest_class_wins_and_the_first_of_equal_ones() -> None:
    part = np.zeros((1, 1, 9), np.uint8)
    part[..., 0], part[..., 6] = 2, 5
    assert Ball(4.0, (1.0, 1.0, 1.0)).nearest(part, [2, 5]).ravel().tolist() == [2, 2, 2, 2, 5, 5, 5, 5, 5]
    far = Ball(2.0, (1.0, 1.0, 1.0)).nearest(part, [2, 5]).ravel().tolist()
    assert far == [2, 2, 2, 0, 5, 5, 5, 5, 5]


def test_classes_in_the_way_are_not_followed_but_do_not_win_either() -> None:
    part = np.array([[[1, 3, 0, 2]]], np.uint8)
    assert Ball(2.0, (1.0, 1.0, 1.0)).nearest(part, [1, 2]).ravel()[2] == 2
    assert Ball(2.0, (1.0, 1.0, 1.0)).nearest(part, [1]).ravel().tolist() == [1, 1, 1, 0]
