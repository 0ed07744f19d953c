"""STL and PLY, read back with trimesh: closed, the right way round, in place, of the mask's volume."""

import numpy as np
import pytest
import trimesh
from volume_cases import affine_of, orientations, world, write_nifti1

from napari_medpatch.errors import OutputError
from napari_medpatch.events import Noted, run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask
from napari_medpatch.io.export_job import exporting_mask
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.volume import VolumeSource

SHAPE = (40, 36, 30)
TO_LPS = np.array([-1.0, -1.0, 1.0])


def ball(radius: float = 9.0, centre: tuple[float, ...] = (18, 17, 14)) -> np.ndarray:
    """A mask on the file's grid, whose voxels are 0.75 × 1.5 × 4 mm."""
    grid = np.moveaxis(np.indices(SHAPE), 0, -1) - np.asarray(centre)
    return (np.linalg.norm(grid * (0.75, 1.5, 4.0), axis=-1) < radius * 1.5).astype(np.uint8)


@pytest.fixture(params=[0, 5, 17, 42])
def placed(request, tmp_path):
    affine = affine_of(orientations()[request.param], tilt=0.4)
    values = np.where(ball(), 0, -1000).astype(np.int16)
    return VolumeSource(write_nifti1(tmp_path / "ct.nii", values, affine)), affine


@pytest.mark.parametrize("smooth", [0, 10, 30])
@pytest.mark.parametrize("suffix", [".stl", ".ply"])
def test_a_surface_is_closed_in_place_and_of_the_masks_volume(tmp_path, placed, suffix, smooth):
    source, affine = placed
    options = ExportOptions(smooth=smooth)
    path = write_mask(source.from_original(ball()), source, tmp_path / f"m{suffix}", options=options)
    mesh = trimesh.load(path)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    voxels = ball().sum() * abs(np.linalg.det(affine[:3, :3]))
    assert mesh.volume == pytest.approx(voxels, rel=0.025)
    middle = world(affine, np.argwhere(ball()).mean(axis=0)[None])[0] * TO_LPS
    np.testing.assert_allclose(mesh.center_mass, middle, atol=0.1)


def test_ras_mirrors_two_axes(tmp_path, placed):
    source, _ = placed
    mask = source.from_original(ball())
    lps = trimesh.load(write_mask(mask, source, tmp_path / "lps.ply"))
    ras = trimesh.load(write_mask(mask, source, tmp_path / "ras.ply", options=ExportOptions(mesh_space="ras")))
    np.testing.assert_allclose(ras.vertices, lps.vertices * TO_LPS, atol=1e-4)
    assert ras.volume == pytest.approx(lps.volume, rel=1e-5)
    assert b"SPACE=RAS" in (tmp_path / "ras.ply").read_bytes()[:200]


def test_a_mask_that_touches_the_border_is_closed(tmp_path):
    source = ArraySource(np.zeros((4, 5, 6), np.int16), "volume", spacing=(2.0, 1.0, 0.5))
    options = ExportOptions(smooth=0)
    mesh = trimesh.load(write_mask(np.ones((4, 5, 6), np.uint8), source, tmp_path / "m.stl", options=options))
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.extents, (3.0, 5.0, 8.0), atol=1e-5)


def two_classes() -> tuple[ArraySource, np.ndarray]:
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[3:9, 3:9, 3:9], mask[12:17, 12:17, 12:17] = 1, 3
    return ArraySource(np.zeros(mask.shape, np.int16), "volume", spacing=(1.0, 1.0, 1.0)), mask


def test_ply_holds_all_classes_in_their_colours(tmp_path):
    source, mask = two_classes()
    job = exporting_mask(
        mask, source, tmp_path / "m.ply", class_names=("a", "b", "c"), colours=("#ff0000", "#00ff00", "#0000ff")
    )
    events = list(job)
    assert [e.message for e in events if isinstance(e, Noted)] == ["Class b is empty and has no surface."]
    mesh = trimesh.load(tmp_path / "m.ply", process=False)
    colours = np.asarray(mesh.visual.vertex_colors)[:, :3]
    assert {tuple(c) for c in colours.tolist()} == {(255, 0, 0), (0, 0, 255)}
    assert len(mesh.split()) == 2
    assert (mesh.vertices[colours[:, 0] == 255].min(axis=0) < 11).all()


def test_stl_writes_a_file_per_class_and_none_for_an_empty_one(tmp_path):
    source, mask = two_classes()
    events = list(exporting_mask(mask, source, tmp_path / "m.stl", class_names=("left lung", "b", "c")))
    assert [p.name for p in events[-1].result.paths] == ["m-left_lung.stl", "m-c.stl"]
    assert "Class b is empty, so m-b.stl was not written." in [e.message for e in events if isinstance(e, Noted)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m-c.stl", "m-left_lung.stl"]


@pytest.mark.parametrize("suffix", [".stl", ".ply"])
def test_an_empty_mask_is_one_sentence(tmp_path, suffix):
    source, mask = two_classes()
    with pytest.raises(OutputError, match="the mask is empty"):
        run(exporting_mask(mask * 0, source, tmp_path / f"m{suffix}", class_names=("a", "b")))
    assert list(tmp_path.iterdir()) == []
