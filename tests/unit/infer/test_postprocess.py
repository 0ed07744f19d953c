import numpy as np
import pytest

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.clean.job import clean
from napari_medpatch.infer.clean.work import named
from napari_medpatch.infer.postprocess import check_rules, rule_steps

HOLES = {"fill_holes": True}
MM = {"voxel": (1.0, 1.0, 1.0), "unit": "mm"}


def postprocess(
    mask: np.ndarray, rules: dict, *, voxel: tuple[float, ...], unit: str, class_names: tuple[str, ...] = ()
) -> np.ndarray:
    """Clean a mask as a job does by its model's card."""
    check_rules(rules, class_names)
    names = named(class_names, mask)
    return clean(mask, rule_steps(rules, names, unit), voxel=voxel, unit=unit, class_names=names)[0]


def two_cubes() -> np.ndarray:
    """A cube of 216 voxels and one of 8."""
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[2:8, 2:8, 2:8] = 1
    mask[14:16, 14:16, 14:16] = 1
    return mask


def test_nothing_changes_without_rules_and_the_input_never_does() -> None:
    mask = two_cubes()
    assert np.array_equal(postprocess(mask, {}, **MM), mask)
    postprocess(mask, {"keep_largest": 1}, **MM)
    assert mask.sum() == 224


@pytest.mark.parametrize(
    ("rule", "voxel", "left"),
    [
        ({"min_component_ml": 0.1}, (1.0, 1.0, 1.0), 216),
        ({"min_component_ml": 0.1}, (5.0, 2.0, 2.0), 224),
        ({"min_component_mm3": 8}, (1.0, 1.0, 1.0), 224),
        ({"min_component_mm3": 8.1}, (1.0, 1.0, 1.0), 216),
        ({"min_component_px": 300}, (1.0, 1.0, 1.0), 0),
        ({"keep_largest": 1}, (1.0, 1.0, 1.0), 216),
        ({"keep_largest": 5}, (1.0, 1.0, 1.0), 224),
    ],
)
def test_small_pieces_are_dropped_by_their_real_size(rule: dict, voxel: tuple[float, ...], left: int) -> None:
    assert postprocess(two_cubes(), rule, voxel=voxel, unit="mm").sum() == left


def test_pieces_touch_by_faces_only() -> None:
    mask = np.zeros((6, 6, 6), np.uint8)
    mask[0:2, 0:2, 0:2] = mask[2, 2, 2] = 1
    assert postprocess(mask, {"min_component_px": 2}, **MM).sum() == 8


def test_of_equal_pieces_the_first_stays() -> None:
    mask = np.zeros((1, 9), np.uint8)
    mask[0, 1:3] = mask[0, 5:7] = 1
    assert np.flatnonzero(postprocess(mask, {"keep_largest": 1}, voxel=(1, 1), unit="px")).tolist() == [1, 2]


def test_holes_are_filled_in_3d_or_slice_by_slice() -> None:
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[1:8, 1:8, 1:8] = 1
    mask[4, 4, 4] = 0
    tunnel = mask.copy()
    tunnel[:, 2, 2] = 0
    assert postprocess(mask, {"fill_holes": True}, **MM).sum() == 343
    assert postprocess(tunnel, {"fill_holes": True}, **MM).sum() == 343 - 7
    assert postprocess(tunnel, {"fill_holes": "slices"}, **MM).sum() == 343


def test_a_hole_that_touches_the_border_stays_open() -> None:
    ring = np.ones((5, 5), np.uint8)
    ring[2, 2:] = 0
    assert np.array_equal(postprocess(ring, HOLES, voxel=(1, 1), unit="px"), ring)
    ring[2, 4] = 1
    assert postprocess(ring, HOLES, voxel=(1, 1), unit="px").all()


def test_a_wall_closed_by_corners_only_does_not_hold_a_hole() -> None:
    diamond = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8)
    assert np.array_equal(postprocess(diamond, HOLES, voxel=(1, 1), unit="px"), diamond)


def test_a_hole_that_is_another_class_stays_that_class() -> None:
    mask = np.zeros((7, 7), np.uint8)
    mask[1:6, 1:6] = 1
    mask[3, 3] = 2
    mask[2, 2] = 0
    cleaned = postprocess(mask, {"fill_holes": True}, voxel=(1.0, 1.0), unit="px")
    assert cleaned[3, 3] == 2
    assert cleaned[2, 2] == 1


def test_a_class_may_have_rules_of_its_own() -> None:
    mask = two_cubes()
    mask[14:16, 14:16, 14:16] = 2
    mask[18, 18, 18] = 2
    rules = {"min_component_px": 5, "classes": {"small": {"keep_largest": 2}}}
    cleaned = postprocess(mask, rules, class_names=("large", "small"), **MM)
    assert (cleaned == 1).sum() == 216
    assert (cleaned == 2).sum() == 9
    assert (postprocess(mask, {"min_component_px": 5}, **MM) == 2).sum() == 8


def test_dropped_pieces_do_not_come_back_as_holes_of_another_class() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[1:8, 1:8] = 1
    mask[4, 4] = 2
    rules = {"classes": {"a": {"fill_holes": True}, "b": {"min_component_px": 2}}}
    assert postprocess(mask, rules, voxel=(1, 1), unit="px", class_names=("a", "b"))[4, 4] == 0


@pytest.mark.parametrize(
    ("rules", "unit", "sentence"),
    [
        ({"min_component_ml": 1}, "px", "needs voxels measured in mm"),
        ({"min_component_um2": 1}, "mm", "needs voxels measured in um"),
        ({"smooth": 1}, "mm", "unknown clean-up 'smooth'"),
        ({"classes": {"lung": {"smooth": 1}}}, "mm", "unknown clean-up 'smooth'"),
        ({"classes": {"liver": {}}}, "mm", "the class 'liver'"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(rules: dict, unit: str, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        postprocess(two_cubes(), rules, voxel=(1.0, 1.0, 1.0), unit=unit, class_names=("lung",))


def test_an_empty_mask_stays_empty() -> None:
    empty = np.zeros((4, 4), np.uint8)
    assert not postprocess(empty, {"fill_holes": True, "keep_largest": 1}, voxel=(1, 1), unit="px").any()


def test_rules_are_shown_as_steps_class_by_class() -> None:
    rules = {"min_component_ml": 15.0, "fill_holes": True, "air_edge_hu": -500.0}
    assert [str(step) for step in rule_steps(rules, ("lung",), "mm")] == ["drop:15ml", "fill-holes"]
    own = {"classes": {"heart": {"keep_largest": 1}}, **rules}
    assert [str(step) for step in rule_steps(own, ("lung", "heart"), "mm")] == [
        "drop:15ml@lung", "fill-holes@lung", "largest:1@heart",
    ]  # fmt: skip
    assert rule_steps({}, ("lung",), "mm") == ()


def test_of_part_of_a_scan_smaller_pieces_count() -> None:
    rules = {"min_component_ml": 7.5, "fill_holes": True}
    assert [str(step) for step in rule_steps(rules, ("lung",), "mm", share=0.04)] == ["drop:0.3ml", "fill-holes"]
    assert [str(step) for step in rule_steps({"min_component_px": 40}, ("lung",), "px", share=0.04)] == ["drop:40px"]


def test_sizes_of_a_whole_scan_are_those_of_the_card() -> None:
    assert rule_steps({"min_component_px": 1234}, ("lung",), "px")[0].size.value == 1234
    assert rule_steps({"min_component_ml": 1.2345}, ("lung",), "mm")[0].size.value == 1.2345
