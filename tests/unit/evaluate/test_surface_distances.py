"""Surface distances against geometry done by hand, and against MONAI."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_cases import ball, blobs, evaluated, slab

from napari_medpatch.errors import SettingsError
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.evaluate.surface import border
from napari_medpatch.steps import finish


def points(mask: np.ndarray, ignored: np.ndarray | None = None) -> set[tuple[int, ...]]:
    return {tuple(point) for point in finish(border(mask.astype(bool), ignored)).tolist()}


def surface(prediction: np.ndarray, truth: np.ndarray, **options: object) -> object:
    return evaluated(prediction, truth, **options).classes[0].surface


def test_border_of_a_cube_is_all_but_its_middle() -> None:
    cube = slab((5, 5, 5), (1, 4), (1, 4), (1, 4))
    assert points(cube) == {tuple(p) for p in np.argwhere(cube).tolist()} - {(2, 2, 2)}


def test_the_edge_of_the_image_is_a_border() -> None:
    assert len(points(np.ones((3, 4, 5)))) == 3 * 4 * 5 - 1 * 2 * 3
    assert len(points(np.ones((4, 5)))) == 4 * 5 - 2 * 3


def test_pictures_are_worked_at_in_bands_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = blobs(3, (40, 30), 1)
    whole = points(picture)
    monkeypatch.setattr("napari_medpatch.evaluate.pieces._BAND", 90)
    assert points(picture) == whole


def test_pixels_beside_ignored_ones_are_no_border() -> None:
    mask, ignored = slab((3, 6), (0, 3), (0, 3)), slab((3, 6), (0, 3), (3, 6)).astype(bool)
    assert (1, 2) in points(mask)
    assert (1, 2) not in points(mask, ignored)


@pytest.mark.parametrize(("axis", "distance"), [(0, 5.0), (1, 2.0), (2, 0.5)])
def test_a_shift_of_one_plane_is_one_spacing(axis: int, distance: float) -> None:
    truth = slab((9, 9, 9), *([(0, 9)] * axis), (4, 5), *([(0, 9)] * (2 - axis)))
    found = surface(np.roll(truth, 1, axis), truth, spacing=(5.0, 2.0, 0.5), tolerance=1.0)
    assert found.assd == found.hd95 == found.hd == pytest.approx(distance)
    assert found.surface_dice == (1.0 if distance <= 1.0 else 0.0)


def test_a_stray_voxel_moves_hd_but_hardly_hd95() -> None:
    truth = slab((20, 20, 20), (5, 15), (5, 15), (5, 15))
    prediction = truth.copy()
    prediction[19, 10, 10] = 1
    found = surface(prediction, truth, spacing=(3.0, 1.0, 1.0))
    assert found.hd == pytest.approx(15.0)
    assert found.hd95 == 0.0
    assert found.assd == pytest.approx(15.0 / (488 + 489))


def test_a_tolerance_on_the_grid_includes_its_distance() -> None:
    truth = slab((1, 1, 12), (0, 1), (0, 1), (2, 3))
    for shift in (1, 2, 3):
        found = surface(np.roll(truth, shift, 2), truth, spacing=(1.0, 1.0, 0.1), tolerance=0.1 * shift)
        assert found.surface_dice == 1.0
    # As NIfTI keeps 0.3: three voxels of it are a little more than 0.9.
    spacing = (1.0, 1.0, float(np.float32(0.3)))
    assert surface(np.roll(truth, 3, 2), truth, spacing=spacing, tolerance=0.9).surface_dice == 1.0


def test_without_a_surface_there_is_no_distance() -> None:
    empty, full = np.zeros((4, 5, 6), np.uint8), slab((4, 5, 6), (1, 3), (1, 3), (1, 3))
    for pair in ((empty, full), (full, empty)):
        result = evaluated(*pair, spacing=(1, 1, 1))
        assert result.classes[0].surface is None
        assert result.classes[0].overlap.dice == 0.0
        assert result.classes[0].remark.startswith("not in the")
        assert result.class_rows()[0]["hd95_mm"] is None


def test_pictures_have_outlines_in_their_plane() -> None:
    truth = slab((20, 20), (5, 15), (5, 15))
    found = surface(np.roll(truth, 2, 1), truth, spacing=(0.25, 0.5), unit="um", tolerance=0.6)
    assert found.hd == pytest.approx(1.0)
    assert found.surface_dice < 1.0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 0.9)])
@pytest.mark.parametrize("seed", range(3))
def test_same_as_monai(seed: int, spacing: tuple[float, float, float]) -> None:
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice

    prediction, truth = blobs(seed, classes=1), blobs(seed + 50, classes=1)
    ours = surface(prediction, truth, spacing=spacing, tolerance=1.5)
    masks = [torch.from_numpy(each[None, None].astype(np.float32)) for each in (prediction, truth)]
    size = list(spacing)
    assert ours.hd95 == pytest.approx(float(compute_hausdorff_distance(*masks, percentile=95, spacing=size)), rel=1e-5)
    assert ours.hd == pytest.approx(float(compute_hausdorff_distance(*masks, spacing=size)), rel=1e-5)
    assd = compute_average_surface_distance(*masks, symmetric=True, spacing=size)
    assert ours.assd == pytest.approx(float(assd), rel=1e-5)
    dice = compute_surface_dice(*masks, class_thresholds=[1.5], spacing=size)
    assert ours.surface_dice == pytest.approx(float(dice), rel=1e-5)


def test_crop_changes_nothing() -> None:
    prediction, truth = ball((30, 30, 30), (9, 9, 9), 5), ball((30, 30, 30), (11, 9, 8), 5)
    inner = surface(prediction[2:20, 2:20, 2:20], truth[2:20, 2:20, 2:20], spacing=(2, 1, 1))
    assert surface(prediction, truth, spacing=(2, 1, 1)) == inner


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), swap=st.permutations([0, 1, 2]))
def test_symmetric_and_independent_of_axes(seed: int, swap: list[int]) -> None:
    prediction, truth = blobs(seed, (6, 9, 8), 1), blobs(seed + 1, (6, 9, 8), 1)
    spacing = (2.5, 1.0, 0.5)
    found = surface(prediction, truth, spacing=spacing)
    turned = surface(truth.transpose(swap), prediction.transpose(swap), spacing=tuple(spacing[axis] for axis in swap))
    assert (turned.hd95, turned.hd, turned.surface_dice) == pytest.approx((found.hd95, found.hd, found.surface_dice))
    assert turned.assd == pytest.approx(found.assd)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.floats(0.1, 10))
def test_identity_is_perfect_and_distances_scale_with_the_spacing(seed: int, size: float) -> None:
    mask, other = blobs(seed, (6, 9, 8), 1), blobs(seed + 1, (6, 9, 8), 1)
    same = surface(mask, mask, spacing=(size,) * 3)
    assert (same.assd, same.hd95, same.hd, same.surface_dice) == (0, 0, 0, 1)
    one, scaled = (surface(mask, other, spacing=(each,) * 3) for each in (1.0, size))
    assert scaled.hd95 == pytest.approx(one.hd95 * size, rel=1e-5)
    assert scaled.assd == pytest.approx(one.assd * size, rel=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"tolerance": -1.0}, {"tolerance": float("nan")}, {"min_iou": 1.0}, {"min_object": -2.0}]
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="impossible"):
        EvaluationSettings(**wrong)
