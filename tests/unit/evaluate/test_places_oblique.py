"""Places, sizes and distances of masks that lie askew in the world, in any orientation of their file."""

import itertools
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from mask_cases import evaluated, slab

from napari_medpatch.errors import GeometryError
from napari_medpatch.evaluate.files import evaluate_files
from napari_medpatch.evaluate.units import Units
from napari_medpatch.evaluate.world import World
from napari_medpatch.events import run

SIZES = (0.75, 1.5, 4.0)
"""Of voxels along the file's axes, mm."""


def rotation(angle: float, axis: tuple[float, float, float] = (0.3, -0.5, 0.81)) -> np.ndarray:
    """Rodrigues' formula."""
    unit = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.cross(np.eye(3), unit)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def affine_of(matrix: np.ndarray, angle: float = 0.0) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = rotation(angle) @ matrix @ np.diag(SIZES)
    affine[:3, 3] = (-80.5, 33.25, 12.0)
    return affine


def signed_permutations() -> list[np.ndarray]:
    found = []
    for order, signs in itertools.product(itertools.permutations(range(3)), itertools.product((-1, 1), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[order, range(3)] = signs
        found.append(matrix)
    return found


def two_boxes(shift: int = 0) -> np.ndarray:
    """``(i, j, k)`` of a file: one large box and a small one, the large one moved along the first axis."""
    mask = np.zeros((16, 12, 8), np.uint8)
    mask[2 + shift : 8 + shift, 2:7, 1:4] = 1
    mask[12:14, 9:11, 5:7] = 2
    return mask


def written(folder: Path, name: str, mask: np.ndarray, affine: np.ndarray) -> Path:
    image = nibabel.Nifti1Image(mask, affine)
    image.header.set_xyzt_units("mm")
    image.to_filename(folder / name)
    return folder / name


def compared(folder: Path, affine: np.ndarray, **options: Any) -> Any:
    prediction = written(folder, "p.nii.gz", two_boxes(1), affine)
    return run(evaluate_files(prediction, written(folder, "t.nii.gz", two_boxes(), affine), **options))


@pytest.mark.parametrize("matrix", signed_permutations(), ids=str)
def test_every_orientation_has_the_same_scores_and_each_its_own_places(tmp_path: Path, matrix: np.ndarray) -> None:
    affine = affine_of(matrix, 0.25)
    result = compared(tmp_path, affine)
    first, second = result.classes
    # The large box moved by one voxel along the file's first axis.
    assert first.overlap.dice == pytest.approx(2 * 75 / 180)
    assert first.surface.hd == pytest.approx(SIZES[0], rel=1e-5)
    assert second.surface.hd == 0.0
    assert result.class_rows()[0]["true_ml"] == pytest.approx(90 * np.prod(SIZES) / 1000)
    for row, centre in zip(result.object_rows(), ((4.5, 4.0, 2.0), (12.5, 9.5, 5.5)), strict=True):
        world = nibabel.affines.apply_affine(affine, centre)
        assert [row["R_mm"], row["A_mm"], row["S_mm"]] == pytest.approx(world.tolist(), abs=1e-4)


@pytest.mark.parametrize("angle", [0.0, 0.1, 0.7, 2.0, 3.1])
def test_turning_the_patient_changes_places_only(tmp_path: Path, angle: float) -> None:
    upright = compared(tmp_path, affine_of(np.diag([-1.0, -1, 1])))
    (tmp_path / "turned").mkdir()
    turned = compared(tmp_path / "turned", affine_of(np.diag([-1.0, -1, 1]), angle))
    for one, other in zip(upright.class_rows(), turned.class_rows(), strict=True):
        numbers = {key: value for key, value in one.items() if isinstance(value, float)}
        assert len(numbers) > 8
        assert {key: other[key] for key in numbers} == pytest.approx(numbers, rel=1e-5)
    distance = [
        np.linalg.norm(np.subtract(*([row[f"{axis}_mm"] for axis in "RAS"] for row in result.object_rows())))
        for result in (upright, turned)
    ]
    assert distance[0] == pytest.approx(distance[1], rel=1e-5)


def test_a_tilted_gantry_measures_across_its_slices(tmp_path: Path) -> None:
    """A shear moves slices aside: a voxel is as large as the product of its edges across, whatever the way along."""
    affine = np.diag([-1.0, -1.0, 4.0, 1.0])
    affine[1, 2] = 3.0
    mask = two_boxes()
    result = run(evaluate_files(written(tmp_path, "m.nii.gz", mask, affine)))
    assert result.units.spacing == pytest.approx((4.0, 1.0, 1.0))
    assert result.class_rows()[0]["volume_ml"] == pytest.approx(90 * abs(np.linalg.det(affine[:3, :3])) / 1000)
    row = result.object_rows()[0]
    world = nibabel.affines.apply_affine(affine, (4.5, 4.0, 2.0))
    assert [row["R_mm"], row["A_mm"], row["S_mm"]] == pytest.approx(world.tolist(), abs=1e-4)


@pytest.mark.parametrize(("voxels", "fits"), [(0.0, True), (0.1, True), (0.4, False), (1.0, False)])
def test_masks_that_lie_apart_are_refused_from_a_quarter_of_a_voxel(tmp_path: Path, voxels: float, fits: bool) -> None:
    affine = affine_of(np.diag([-1.0, -1, 1]), 0.3)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, 0] * voxels
    prediction = written(tmp_path, "p.nii.gz", two_boxes(), moved)
    truth = written(tmp_path, "t.nii.gz", two_boxes(), affine)
    if fits:
        assert run(evaluate_files(prediction, truth)).mean_dice == 1.0
        return
    with pytest.raises(GeometryError, match=r"lie .* apart"):
        run(evaluate_files(prediction, truth))


@pytest.mark.parametrize("wrong", ["spacing", "mirrored", "turned"])
def test_grids_of_another_geometry_are_refused(tmp_path: Path, wrong: str) -> None:
    affine = affine_of(np.diag([-1.0, -1, 1]))
    other = affine.copy()
    if wrong == "spacing":
        other[:3, 0] *= 1.2
    elif wrong == "mirrored":
        other[:3, 0] *= -1
    else:
        other = affine_of(np.diag([-1.0, -1, 1]), 0.2)
    prediction = written(tmp_path, "p.nii.gz", two_boxes(), other)
    with pytest.raises(GeometryError):
        run(evaluate_files(prediction, written(tmp_path, "t.nii.gz", two_boxes(), affine)))


def test_a_mirrored_file_with_its_own_affine_is_the_same_mask(tmp_path: Path) -> None:
    affine = affine_of(np.diag([-1.0, -1, 1]), 0.3)
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = 15
    mirrored = written(tmp_path, "p.nii.gz", two_boxes()[::-1], affine @ flip)
    assert run(evaluate_files(mirrored, written(tmp_path, "t.nii.gz", two_boxes(), affine))).mean_dice == 1.0


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_world_columns_are_the_affine_applied(angle: float) -> None:
    affine = affine_of(np.diag([-1.0, -1, 1]), angle)
    world = World.of(Units((4.0, 1.5, 0.75), "mm"), affine)
    columns = world.columns((3.0, 2.0, 1.0))
    assert (columns["z"], columns["y"], columns["x"]) == (3.0, 2.0, 1.0)
    expected = nibabel.affines.apply_affine(affine, (1.0, 2.0, 3.0))
    assert [columns[f"{axis}_mm"] for axis in "RAS"] == pytest.approx(expected.tolist())


def test_a_picture_has_no_patient_coordinates() -> None:
    world = World.of(Units((0.5, 0.25), "um"), affine_of(np.eye(3)))
    assert world.columns((4.0, 8.0)) == {"y": 4.0, "x": 8.0, "y_um": 2.0, "x_um": 2.0}
    assert World.of(Units((1.0, 1.0), "px"), None).columns((4.0, 8.0)) == {"y": 4.0, "x": 8.0}


def test_centroids_are_shifted_by_the_crop_that_was_worked_on() -> None:
    shape = (9, 30, 30)
    truth = slab(shape, (7, 9), (20, 24), (25, 29))
    (row,) = evaluated(truth, truth, spacing=(2.0, 1.0, 1.0)).object_rows()
    assert (row["z"], row["y"], row["x"]) == (7.5, 21.5, 26.5)
