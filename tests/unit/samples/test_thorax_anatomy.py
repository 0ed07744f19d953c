import numpy as np
import pytest

from napari_medpatch.samples.thorax_anatomy import draw_anatomy
from napari_medpatch.samples.thorax_trees import airways, hilum, lung_tree, ribs


@pytest.fixture(params=range(6))
def anatomy(request):
    return draw_anatomy(np.random.default_rng(request.param))


def test_the_recess_lies_below_the_domes_and_these_below_the_apex(anatomy):
    assert anatomy.bottom < min(anatomy.domes) < max(anatomy.domes) < anatomy.apex


def test_the_cavity_narrows_to_the_apex(anatomy):
    heights = np.linspace(anatomy.bottom, anatomy.apex, 9).astype(np.float32)
    widths, depths = anatomy.cavity_radii(heights)
    assert (np.diff(widths) <= 1e-4).all()
    assert widths[0] == pytest.approx(anatomy.width, rel=1e-4)
    assert depths[0] == pytest.approx(anatomy.depth, rel=1e-4)


def test_inside_and_outside_of_the_cavity(anatomy):
    assert anatomy.inside_cavity(np.array([0.0, 0.0, 0.0])) < -20
    assert anatomy.inside_cavity(np.array([0.0, 0.0, 1.3 * anatomy.width])) > 10
    assert anatomy.inside_cavity(np.array([anatomy.apex + 20, 0.0, 0.0])) > 10


def test_the_diaphragm_is_highest_at_its_domes(anatomy):
    x = np.array([0.42 * anatomy.width, -0.42 * anatomy.width, 2 * anatomy.width], np.float32)
    heights = anatomy.diaphragm(np.full(3, -0.12 * anatomy.depth, np.float32), x)
    assert heights[:2] == pytest.approx(anatomy.domes)
    assert heights[2] <= anatomy.bottom + 1e-3


@pytest.mark.parametrize("side", [-1, 1])
def test_a_tree_stays_on_its_side_inside_the_chest_and_thins_out(anatomy, side):
    tree = lung_tree(anatomy, side, 6.0, 5, np.random.default_rng(0))
    ends = np.array([branch.end for branch in tree])
    assert len(tree) > 15
    assert (ends[:, 2] * side > 0).all()
    assert max(anatomy.inside_cavity(end) for end in ends) < 0
    assert all(branch.radii[1] < branch.radii[0] <= 6.0 for branch in tree)


def test_the_main_bronchi_reach_each_hilum(anatomy):
    ends = {tube.end for tube in airways(anatomy)}
    assert all(tuple(hilum(anatomy, side).tolist()) in ends for side in (-1, 1))


def test_twelve_pairs_of_ribs_lie_outside_the_cavity(anatomy):
    tubes = ribs(anatomy)
    assert len(tubes) == 12 * 2 * 9
    sides = [tube.start for tube in tubes if abs(tube.start[2]) > 0.6 * anatomy.width]
    assert all(anatomy.inside_cavity(np.array(place)) > 0 for place in sides if place[0] < anatomy.apex - 40)
