"""Edges of air-filled organs follow the scan where the network is not sure, and only there."""

import numpy as np

from napari_medpatch.infer.edges import air_edge, sharpen_edges


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


def test_the_likelier_of_several_classes_is_taken() -> None:
    logits = np.array([-1.0, -0.5], np.float32).reshape(2, 1, 1, 1)
    labels = np.zeros((1, 1, 1), np.uint8)
    sharpen_edges(labels, logits, np.full((1, 1, 1), -800), -500.0)
    assert labels.item() == 2


def test_only_models_that_ask_for_it() -> None:
    assert air_edge({"fill_holes": True}) is None
    assert air_edge({"air_edge_hu": -500}) == -500.0
