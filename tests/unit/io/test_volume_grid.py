import numpy as np
import pytest
from volume_cases import SHAPE, affine_of

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.volume_grid import VolumeGrid


def test_array_of_another_shape_is_refused():
    grid = VolumeGrid.of_file(affine_of(np.eye(3)), SHAPE)
    with pytest.raises(GeometryError, match=r"\(5, 4, 3\) does not lie on this volume's grid \(3, 4, 5\)"):
        grid.to_original(np.zeros(SHAPE))
    with pytest.raises(GeometryError, match="does not lie"):
        grid.from_original(np.zeros((3, 4, 5)))


def test_only_tilted_grids_are_oblique():
    assert not VolumeGrid.of_file(affine_of(np.diag([1.0, -1, 1])), SHAPE).is_oblique
    assert VolumeGrid.of_file(affine_of(np.diag([1.0, -1, 1]), tilt=0.01), SHAPE).is_oblique


def test_unit_of_the_file_becomes_millimetres():
    grid = VolumeGrid.of_file(np.diag([-250.0, -250, 1000, 1]), SHAPE, unit_mm=0.001)
    assert grid.spacing == pytest.approx((1.0, 0.25, 0.25))
    assert grid.affine[2, 2] == 1000


def test_places_become_millimetres_too():
    affine = np.diag([-250.0, -250, 1000, 1])
    affine[:3, 3] = 5000, -6000, 7000
    grid = VolumeGrid.of_file(affine, SHAPE, unit_mm=0.001)
    assert grid.canonical_affine[:, 3] == pytest.approx([5, -6, 7, 1])


def test_plain_array_lies_left_posterior_superior():
    grid = VolumeGrid.of_array((3, 4, 5), None, (2.0, 0.5, 0.25))
    assert not grid.known
    assert np.array_equal(grid.canonical_affine, np.diag([-0.25, -0.5, 2.0, 1.0]))
    values = np.arange(60).reshape(3, 4, 5)
    assert np.array_equal(grid.to_original(values), values.T)
    assert grid.shape == (5, 4, 3)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_spacing_of_a_sheared_grid_makes_up_the_voxels_volume(order):
    """Slices 2.5 mm apart on a table that moves 2.7 mm askew, axial and turned."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag([0.5, 0.75, 2.5])
    affine[1, 2] = 1.0
    affine[:3] = affine[list(order)]
    grid = VolumeGrid.of_file(affine, SHAPE)
    assert grid.is_sheared
    assert sorted(grid.spacing) == pytest.approx([0.5, 0.75, 2.5])
    assert np.prod(grid.spacing) == pytest.approx(abs(np.linalg.det(affine[:3, :3])))
    assert not VolumeGrid.of_file(affine_of(np.eye(3), tilt=0.4), SHAPE).is_sheared
