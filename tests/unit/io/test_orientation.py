import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume_cases import SHAPE, SPACING, affine_of, numbered, orientations, world

from napari_medpatch.io.orientation import (
    Orientation,
    axis_codes,
    closest_orientation,
    oblique_degrees,
    orientation_from_matrix,
    voxel_sizes,
)
from napari_medpatch.io.volume_grid import VolumeGrid


@pytest.mark.parametrize("matrix", orientations())
@pytest.mark.parametrize("tilt", [0.0, 0.35])
def test_every_orientation_keeps_each_value_at_its_world_position(matrix, tilt):
    affine, stored = affine_of(matrix, tilt=tilt), numbered()
    grid = VolumeGrid.of_file(affine, SHAPE)
    shown = grid.from_original(stored)
    for value in (stored[0, 0, 0], stored[4, 3, 2], stored[1, 2, 0]):
        i = np.argwhere(stored == value)[0]
        z, y, x = np.argwhere(shown == value)[0]
        there = world(grid.canonical_affine, np.array([x, y, z]))
        np.testing.assert_allclose(there, world(affine, i), atol=1e-9)
    assert np.array_equal(grid.to_original(shown), stored)


@pytest.mark.parametrize("matrix", orientations())
def test_shown_axes_run_up_back_and_left(matrix):
    grid = VolumeGrid.of_file(affine_of(matrix, tilt=0.2), SHAPE)
    directions = grid.canonical_affine[:3, :3] / np.array(grid.spacing[::-1])
    assert axis_codes(grid.canonical_affine) == "LPS"
    assert directions[0, 0] < -0.8
    assert directions[1, 1] < -0.8
    assert directions[2, 2] > 0.8


@given(tilt=st.floats(-3.1, 3.1), which=st.integers(0, 47))
@settings(max_examples=200, deadline=None)
def test_any_rotation_is_undone_exactly(tilt, which):
    affine, stored = affine_of(orientations()[which], tilt=tilt), numbered()
    grid = VolumeGrid.of_file(affine, SHAPE)
    shown = grid.from_original(stored)
    assert shown.shape == grid.canonical_shape
    assert np.array_equal(grid.to_original(shown), stored)
    assert sorted(grid.spacing) == pytest.approx(sorted(SPACING))
    at = np.array([grid.canonical_shape[2] - 1, 0, grid.canonical_shape[0] - 1])
    value = shown[at[2], at[1], at[0]]
    np.testing.assert_allclose(
        world(grid.canonical_affine, at), world(affine, np.argwhere(stored == value)[0]), atol=1e-9
    )


def test_index_map_of_a_flipped_axis_begins_at_its_end():
    matrix = Orientation((2, 1, 0), (False, False, True)).index_map((5, 4, 3))
    assert (matrix @ [0, 1, 2, 1]).tolist() == [4, 1, 2, 1]


def test_orientation_from_matrix_finds_permutations_and_refuses_others():
    swap = Orientation((0, 2, 1), (True, False, True))
    found = orientation_from_matrix(np.linalg.inv(swap.index_map((5, 4, 3))))
    assert found == swap
    turned = np.array([[0.7, -0.7, 0], [0.7, 0.7, 0], [0, 0, 1]])
    assert orientation_from_matrix(turned) is None
    assert orientation_from_matrix(np.diag([2.0, 1, 1])) is None
    assert orientation_from_matrix(np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])) is None
    assert orientation_from_matrix(np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 1]])) is None


def test_sizes_and_angles():
    affine = affine_of(np.diag([-1.0, -1, 1]), tilt=np.radians(10))
    assert voxel_sizes(affine) == pytest.approx(SPACING)
    assert 5 < oblique_degrees(affine) < 10.01
    assert oblique_degrees(affine_of(np.diag([-1.0, -1, 1]))) == pytest.approx(0)
    assert closest_orientation(affine) == Orientation((2, 1, 0), (False, False, False))
