"""Surfaces of masks: size, place, winding, welding, coarse cells."""

from collections.abc import Generator

import numpy as np
import pytest

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.io import surface as module
from napari_medpatch.io.surface import Surface, mask_surface, surface_steps


def ball(
    shape: tuple[int, int, int], centre: tuple[float, ...], radius: float, spacing: tuple[float, ...]
) -> np.ndarray:
    grid = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    return (sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2).astype(np.uint8)


def volume_of(surface: Surface) -> float:
    """Signed: positive if the normals of the columns x, y, z point outwards."""
    vertices, faces = surface
    a, b, c = (vertices[faces[:, corner]][:, ::-1].astype(float) for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def is_closed(surface: Surface) -> bool:
    """Whether each edge is walked once in each direction."""
    faces = surface[1]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there, back = ({tuple(e) for e in way.tolist()} for way in (edges, edges[:, ::-1]))
    return len(there) == len(edges) and there == back


SPACING = (2.5, 1.0, 0.8)
BALL = ball((20, 50, 60), (24.0, 26.0, 22.0), 14.0, SPACING)


def test_ball_has_its_volume_in_mm3_and_normals_that_point_outwards() -> None:
    true = 4 / 3 * np.pi * 14**3
    assert volume_of(mask_surface(BALL, 1, SPACING)) == pytest.approx(true, rel=0.03)


def test_surface_lies_where_the_mask_lies() -> None:
    vertices, _ = mask_surface(BALL, 1, SPACING, smooth=0)
    voxels = np.argwhere(BALL) * SPACING
    for axis, size in enumerate(SPACING):
        assert vertices[:, axis].min() == pytest.approx(voxels[:, axis].min() - size / 2)
        assert vertices[:, axis].max() == pytest.approx(voxels[:, axis].max() + size / 2)


def test_smoothing_evens_the_steps_and_keeps_the_size() -> None:
    def spread(surface: Surface) -> float:
        return float(np.std(np.linalg.norm(surface[0] - (24.0, 26.0, 22.0), axis=1)))

    stepped, smooth = mask_surface(BALL, 1, SPACING, smooth=0), mask_surface(BALL, 1, SPACING, smooth=20)
    assert spread(smooth) < 0.7 * spread(stepped)
    assert volume_of(smooth) == pytest.approx(volume_of(stepped), rel=0.03)


def test_slabs_give_the_same_closed_surface_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = (np.random.default_rng(3).random((30, 20, 24)) > 0.6).astype(np.uint8)
    whole = mask_surface(noisy, smooth=0)
    monkeypatch.setattr(module, "_SLAB_VOXELS", 1)
    slabs = mask_surface(noisy, smooth=0)
    assert len(slabs[0]) == len(whole[0])
    assert len(slabs[1]) == len(whole[1])
    assert volume_of(slabs) == pytest.approx(volume_of(whole), rel=1e-6)
    np.testing.assert_allclose(np.sort(slabs[0], axis=0), np.sort(whole[0], axis=0))


def test_mask_that_touches_the_border_is_closed() -> None:
    surface = mask_surface(np.ones((3, 4, 5), np.uint8), smooth=0)
    assert is_closed(surface)
    assert surface[0].min() == pytest.approx(-0.5)
    assert surface[0].max() == pytest.approx(4.5)


def test_a_single_voxel_has_a_surface() -> None:
    mask = np.zeros((3, 3, 3), np.uint8)
    mask[1, 1, 1] = 7
    surface = mask_surface(mask, 7, smooth=0)
    assert is_closed(surface)
    np.testing.assert_allclose(surface[0].mean(axis=0), (1, 1, 1), atol=1e-6)


def test_only_the_wanted_class_counts() -> None:
    both = BALL * 2
    both[:3, :5, :5] = 1
    np.testing.assert_array_equal(mask_surface(both, 2, SPACING)[0], mask_surface(BALL, 1, SPACING)[0])


def test_coarse_cells_keep_size_and_place() -> None:
    fine, coarse = mask_surface(BALL, 1, SPACING), mask_surface(BALL, 1, SPACING, max_voxels=1500)
    assert len(coarse[0]) < len(fine[0]) / 3
    assert volume_of(coarse) == pytest.approx(volume_of(fine), rel=0.05)
    np.testing.assert_allclose(coarse[0].mean(axis=0), fine[0].mean(axis=0), atol=0.7)
    assert is_closed(coarse)


def test_steps_come_often_and_can_be_left() -> None:
    steps: Generator[float, None, Surface] = surface_steps(np.ones((40, 200, 200), np.uint8))
    shares = [next(steps) for _ in range(3)]
    assert shares == sorted(shares)
    steps.close()


def test_missing_value_and_wrong_shapes_are_said_in_words() -> None:
    with pytest.raises(LabelsError, match="no voxel of value 3"):
        mask_surface(BALL, 3)
    with pytest.raises(GeometryError, match="the shape \\(20, 50\\)"):
        mask_surface(BALL[..., 0])
    with pytest.raises(GeometryError, match="three positive voxel sizes"):
        mask_surface(BALL, spacing=(0, 1, 1))


def test_what_coarse_cells_cannot_hold_is_said_in_words() -> None:
    thin = np.zeros((64, 64, 64), np.uint8)
    thin[::9, ::9, ::9] = 1
    with pytest.raises(LabelsError, match="allow more voxels"):
        mask_surface(thin, max_voxels=1000)
