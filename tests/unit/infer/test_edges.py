"""Edges of air-filled organs follow the scan where the network is not sure, and only there."""

import numpy as np

from napari_medpatch.geometry import Box
from napari_medpatch.infer.edges import air_edge, near_border, sharpen_edges
from napari_medpatch.infer.working_grid import WorkingGrid


def _case(relative: list[float], hu: list[float]) -> list[int]:
    logits = np.array(relative, np.float32).reshape(1, 1, 1, -1)
    labels = (logits[0] > 0).astype(np.uint8)
    sharpen_edges(labels, logits, np.array(hu).reshape(1, 1, -1), -500.0)
    return [int(v) for v in labels.ravel()]


def test_unsure_voxels_follow_the_scan() -> None:
    assert _case([0.5, 0.5, -0.5, -0.5], [-900, 40, -900, 40]) == [1, 0, 1, 0]


def test_sure_voxels_stay() -> None:
    consolidated_lung, room_air = (4.0, 30.0), (-4.0, -1000.0)
    assert _case([consolidated_lung[0], room_air[0]], [consolidated_lung[1], room_air[1]]) == [1, 0]


def test_the_network_is_believed_from_95_percent_on() -> None:
    logits = [float(np.log(p / (1 - p))) for p in (0.94, 0.96)]
    assert _case(logits, [40, 40]) == [0, 1]
    assert _case([-logit for logit in logits], [-900, -900]) == [1, 0]


def test_air_lies_below_the_edge_not_on_it() -> None:
    assert _case([0.5, 0.5], [-500, -501]) == [0, 1]


def test_the_likelier_of_several_classes_is_taken() -> None:
    logits = np.array([-1.0, -0.5], np.float32).reshape(2, 1, 1, 1)
    labels = np.zeros((1, 1, 1), np.uint8)
    sharpen_edges(labels, logits, np.full((1, 1, 1), -800), -500.0)
    assert labels.item() == 2


def test_only_models_that_ask_for_it() -> None:
    assert air_edge({"fill_holes": True}) is None
    assert air_edge({"air_edge_hu": -500}) == -500.0


def _grid(step: float) -> WorkingGrid:
    return WorkingGrid.centred((1, 1, 24), (1.0, 1.0, step))


_AIR = np.full((1, 1, 6), -800, np.float32)


def test_only_voxels_between_two_working_voxels_of_different_sign_are_near_a_border() -> None:
    relative = np.array([5, 5, 0.5, -5, -5, -5], np.float32).reshape(1, 1, 1, -1)
    near = near_border(relative, _AIR, _grid(4.0), Box.whole((1, 1, 24)), (0, 0, 0))
    # Centres of working voxels lie at 1.5, 5.5, 9.5, 13.5 …; the sign changes between 9.5 and 13.5.
    assert np.flatnonzero(near).tolist() == [10, 11, 12, 13]


def test_a_tip_that_the_network_only_suspects_is_looked_at() -> None:
    relative = np.array([-5, -5, -1, -5, -5, -5], np.float32).reshape(1, 1, 1, -1)
    near = near_border(relative, _AIR, _grid(4.0), Box.whole((1, 1, 24)), (0, 0, 0))
    assert np.flatnonzero(near).tolist() == [6, 7, 8, 9, 10, 11, 12, 13]


def test_the_networks_border_stays_where_the_organ_beside_it_is_opaque() -> None:
    relative = np.array([-5, 2, 5, 5, 0.5, -5], np.float32).reshape(1, 1, 1, -1)
    hu = np.array([40, 40, 40, -800, -800, 40], np.float32).reshape(1, 1, -1)
    near = near_border(relative, hu, _grid(4.0), Box.whole((1, 1, 24)), (0, 0, 0))
    # Consolidation ends between 1.5 and 5.5, aerated lung between 17.5 and 21.5.
    assert np.flatnonzero(near).tolist() == [18, 19, 20, 21]


def test_half_sure_opacities_inside_stay_and_pieces_agree() -> None:
    relative = np.array([-5, 0.5, 0.5, 0.5, 0.5, -5], np.float32).reshape(1, 1, 1, -1)
    grid, whole = _grid(4.0), Box.whole((1, 1, 24))
    near = near_border(relative, _AIR, grid, whole, (0, 0, 0))
    labels = np.ones((1, 1, 24), np.uint8)
    sharpen_edges(labels, np.full((1, 1, 1, 24), 0.5, np.float32), np.full((1, 1, 24), 30), -500.0, near)
    assert labels[0, 0, 6:18].all(), "fluid in the lung"
    assert not labels[near].any()
    piece = Box((0, 0, 5), (1, 1, 12))
    need = grid.working_box(piece)
    part = relative[(slice(None), *need.slices)]
    np.testing.assert_array_equal(near_border(part, _AIR[need.slices], grid, piece, need.start), near[piece.slices])


def test_a_network_on_the_images_own_voxels_has_no_border_between_them() -> None:
    relative, hu = np.ones((1, 1, 1, 24), np.float32), np.full((1, 1, 24), -800, np.float32)
    assert near_border(relative, hu, _grid(1.0), Box.whole((1, 1, 24)), (0, 0, 0)) is None
