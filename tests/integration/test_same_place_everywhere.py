"""What the command line writes opens at the right place in other programs, from grids that few people meet.

A scan is a known function of its place in the patient, so that any program can be asked for the place of a voxel and
the value there must follow from it: no part of the package takes part in the check.
"""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import trimesh

from napari_medpatch.cli import main

AXES = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
"""A rotation by 3-4-5 triangles: oblique to every axis, and exact."""
GRIDS = {
    "upright": (np.diag([-1.0, -1.0, 1.0]), (0.7, 0.7, 2.5), (14, 12, 10)),
    "head down": (np.diag([-1.0, 1.0, -1.0]), (0.7, 0.9, 2.5), (14, 12, 10)),
    "sagittal": (np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), (1.0, 0.5, 3.0), (14, 12, 10)),
    "oblique": (AXES, (0.7, 0.9, 2.0), (14, 12, 10)),
    "oblique and mirrored": (AXES * (-1, 1, 1), (0.7, 0.9, 2.0), (14, 12, 10)),
    "ten to one": (np.diag([-1.0, -1.0, 1.0]), (0.5, 0.5, 5.0), (20, 20, 6)),
    "one slice": (np.diag([-1.0, -1.0, 1.0]), (0.8, 0.8, 5.0), (14, 12, 1)),
    "one slice aside": (AXES, (5.0, 0.8, 0.8), (1, 14, 12)),
    "tiny voxels": (np.diag([1.0, -1.0, 1.0]), (0.01, 0.01, 0.02), (14, 12, 10)),
    "huge voxels": (np.diag([-1.0, 1.0, 1.0]), (120.0, 120.0, 300.0), (14, 12, 10)),
}
ORIGIN = (-31.5, 12.25, 840.0)
TYPES = ("int8", "uint8", "int16", "uint16", "int32", "float32", "float64", ">i2", ">f4")


def affine_of(grid: str) -> np.ndarray:
    directions, sizes, _ = GRIDS[grid]
    affine = np.eye(4)
    affine[:3, :3] = directions @ np.diag(sizes)
    affine[:3, 3] = ORIGIN
    return affine


def numbered(grid: str) -> np.ndarray:
    """Values that tell voxels apart."""
    shape = GRIDS[grid][2]
    return (np.arange(np.prod(shape)).reshape(shape) % 2000 - 1000).astype(np.int16)


def value_at(places: np.ndarray, grid: str) -> np.ndarray:
    """The value of the scan at places in RAS mm, worked out from the grid alone."""
    index = np.linalg.solve(affine_of(grid), np.c_[places, np.ones(len(places))].T)[:3].T
    near = np.rint(index).astype(int)
    assert np.abs(index - near).max() < 2e-3
    assert ((near >= 0) & (near < GRIDS[grid][2])).all()
    return numbered(grid)[tuple(near.T)]


def scan(folder: Path, grid: str, dtype: str = "int16") -> Path:
    path = folder / "scan.nii"
    order = nibabel.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    values = numbered(grid) if np.dtype(dtype).itemsize > 1 and "u" not in dtype else np.abs(numbered(grid)) % 100
    image = nibabel.Nifti1Image(values.astype(dtype), affine_of(grid), order)
    image.header.set_xyzt_units("mm")
    image.to_filename(path)
    return path


def exported(source: Path, output: Path, *more: str) -> Path:
    assert main(["export", str(source), "-o", str(output), "--quiet", *more]) == 0
    return output


def itk_places(image: SimpleITK.Image, indices: np.ndarray) -> np.ndarray:
    """Where ITK has voxels, RAS mm."""
    return np.array([image.TransformIndexToPhysicalPoint(tuple(map(int, one))) for one in indices]) * (-1, -1, 1)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_itk_has_every_value_where_it_was(tmp_path: Path, grid: str, suffix: str) -> None:
    image = SimpleITK.ReadImage(str(exported(scan(tmp_path, grid), tmp_path / f"out{suffix}")))
    values = SimpleITK.GetArrayFromImage(image).T
    indices = np.argwhere(np.ones(values.shape))[::7]
    assert np.array_equal(values[tuple(indices.T)], value_at(itk_places(image, indices), grid))


@pytest.mark.parametrize("grid", GRIDS)
def test_nibabel_has_every_value_where_it_was_by_either_way_round(tmp_path: Path, grid: str) -> None:
    nrrd = exported(scan(tmp_path, grid), tmp_path / "between.nrrd")
    image = nibabel.load(exported(nrrd, tmp_path / "out.nii"))
    values = np.asarray(image.dataobj)
    indices = np.argwhere(np.ones(values.shape))[::7]
    assert np.array_equal(values[tuple(indices.T)], value_at(nibabel.affines.apply_affine(image.affine, indices), grid))
    assert image.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
def test_values_of_any_type_are_the_same_numbers(tmp_path: Path, dtype: str, suffix: str) -> None:
    source = scan(tmp_path, "oblique", dtype)
    image = SimpleITK.ReadImage(str(exported(source, tmp_path / f"out{suffix}")))
    indices = np.argwhere(np.ones(image.GetSize()))[::11]
    places = itk_places(image, indices)
    index = np.rint(np.linalg.solve(affine_of("oblique"), np.c_[places, np.ones(len(places))].T)[:3].T).astype(int)
    expected = np.asarray(nibabel.load(source).dataobj)[tuple(index.T)]
    assert np.array_equal(SimpleITK.GetArrayFromImage(image).T[tuple(indices.T)], expected)


def box_mask(folder: Path, grid: str) -> tuple[Path, np.ndarray]:
    """A mask of one box away from the middle, and the places of its voxels."""
    shape = GRIDS[grid][2]
    mask = np.zeros(shape, np.uint8)
    where = tuple(slice(0 if n < 4 else n // 4, n if n < 4 else n // 2) for n in shape)
    mask[where] = 1
    path = folder / "mask.nii.gz"
    nibabel.Nifti1Image(mask, affine_of(grid)).to_filename(path)
    return path, nibabel.affines.apply_affine(affine_of(grid), np.argwhere(mask))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".seg.nrrd", ".mha"])
def test_masks_have_their_voxels_where_they_were(tmp_path: Path, grid: str, suffix: str) -> None:
    mask, expected = box_mask(tmp_path, grid)
    image = SimpleITK.ReadImage(str(exported(mask, tmp_path / f"out{suffix}")))
    found = itk_places(image, np.argwhere(SimpleITK.GetArrayFromImage(image).T))
    order = [np.lexsort(np.round(each / min(GRIDS[grid][1]), 1).T) for each in (found, expected)]
    np.testing.assert_allclose(found[order[0]], expected[order[1]], atol=2e-3 * max(GRIDS[grid][1]))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("space", ["lps", "ras"])
def test_a_mesh_lies_around_its_voxels(tmp_path: Path, grid: str, space: str) -> None:
    mask, expected = box_mask(tmp_path, grid)
    surface = trimesh.load(
        exported(mask, tmp_path / "out.stl", "--mesh-space", space, "--smooth", "0"), file_type="stl"
    )
    assert surface.is_watertight
    assert surface.volume > 0
    corners = expected if space == "ras" else expected * (-1, -1, 1)
    half = np.abs(affine_of(grid)[:3, :3]).sum(axis=1) / 2
    # Marching cubes cuts edges half-way and corners off.
    tolerance = half * 1.01 + 1e-6
    assert (surface.bounds[0] <= corners.min(axis=0) + tolerance).all()
    assert (surface.bounds[1] >= corners.max(axis=0) - tolerance).all()
    np.testing.assert_allclose(surface.bounds.mean(axis=0), corners.mean(axis=0), atol=float(half.max()) * 0.02 + 1e-4)
    voxels = len(expected) * np.prod(GRIDS[grid][1])
    assert 0.5 * voxels < surface.volume < 1.05 * voxels


@pytest.mark.parametrize("grid", GRIDS)
def test_slices_come_back_as_the_same_volume(tmp_path: Path, grid: str) -> None:
    folder = exported(scan(tmp_path, grid), tmp_path / "slices")
    image = nibabel.load(exported(folder, tmp_path / "back.nii"))
    indices = np.argwhere(np.ones(image.shape))[::7]
    found = np.asarray(image.dataobj)[tuple(indices.T)]
    assert np.array_equal(found, value_at(nibabel.affines.apply_affine(image.affine, indices), grid))


@pytest.mark.parametrize("grid", [name for name in GRIDS if name not in ("tiny voxels", "huge voxels")])
def test_every_job_works_on_every_grid(tmp_path: Path, grid: str) -> None:
    """Segment, clean, evaluate and interpolate end well and leave masks on the grid of the scan."""
    ct, (mask, _) = scan(tmp_path, grid), box_mask(tmp_path, grid)
    shape = GRIDS[grid][2]
    labels = np.zeros(shape, np.uint8)
    painted = np.asarray(nibabel.load(mask).dataobj) + 1
    axis = int(np.argmax(shape))
    for index in range(0, shape[axis], 4):
        at = (slice(None),) * axis + (index,)
        labels[at] = painted[at]
    nibabel.Nifti1Image(labels, affine_of(grid)).to_filename(tmp_path / "labels.nii.gz")
    jobs = {
        "lungs.nii.gz": ["segment", ct, "-m", "lungs-threshold"],
        "clean.nii.gz": ["clean", mask, "--step", "largest:1", "--step", "fill-holes", "--like", ct],
        "filled.nii.gz": ["interpolate", ct, tmp_path / "labels.nii.gz", "--method", "shape"],
    }
    if 1 in shape:
        # Between the slices of one slice there is nothing to fill.
        words = [*jobs.pop("filled.nii.gz"), "-o", tmp_path / "filled.nii.gz", "--quiet"]
        assert main([*map(str, words)]) == 2
    for name, words in jobs.items():
        assert main([*map(str, words), "-o", str(tmp_path / name), "--quiet"]) == 0, name
        image = nibabel.load(tmp_path / name)
        assert image.shape == shape
        np.testing.assert_allclose(image.affine, affine_of(grid), atol=1e-4)
    words = ["evaluate", mask, tmp_path / "clean.nii.gz", "--report", tmp_path / "report", "--image", ct, "--quiet"]
    assert main([*map(str, words)]) == 0
