"""Where patches lie."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_medpatch.errors import BundleError, GeometryError, MissingSpacingError
from napari_medpatch.geometry import Box
from napari_medpatch.patches.grid import PatchGrid, in_blocks, make_grid, patch_scale
from napari_medpatch.patches.tissue import TissueMask


def _everywhere(shape: tuple[int, int]) -> TissueMask:
    return TissueMask(np.ones((1, 1), bool), (float(shape[0]), float(shape[1])))


def _blank(pyramid, shape=(500, 700), mpp=(0.5, 0.5), **options):
    return pyramid(np.full((*shape, 3), 240, np.uint8), mpp, **options)


def _wsinfer_minima(width: int, height: int, patch: int, overlap: float) -> set[tuple[int, int]]:
    """Corners by WSInfer's rule: centres at half, half + step, … inside the slide."""
    half, step = round(patch / 2), round((1 - overlap) * patch)
    centres = itertools.product(range(half, width, step), range(half, height, step))
    return {(y - half, x - half) for x, y in centres}


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.3, -1.0])
@pytest.mark.parametrize("shape", [(500, 700), (512, 640), (97, 333)])
def test_grid_is_that_of_wsinfer(pyramid, patch_card, shape, overlap) -> None:
    card = patch_card(patch_size_pixels=50, spacing_um_px=0.7)
    grid = make_grid(_blank(pyramid, shape), card, _everywhere(shape), overlap)
    assert grid.patch_px == (70, 70)
    corners = {(y, x) for y, x, _, _ in grid.boxes().tolist()}
    assert corners == _wsinfer_minima(shape[1], shape[0], 70, overlap)


def test_patch_is_square_in_um_when_pixels_are_not(pyramid, patch_card) -> None:
    source = _blank(pyramid, mpp=(0.25, 0.5))
    card = patch_card(patch_size_pixels=100, spacing_um_px=0.5)
    assert patch_scale(source, card).patch_px == (200, 100)
    assert patch_scale(source, card, exact=True).patch_px == (133, 133)


def test_reading_resolution_follows_the_coarser_axis(pyramid, patch_card) -> None:
    scale = patch_scale(_blank(pyramid, mpp=(0.25, 0.5)), patch_card(spacing_um_px=2.0))
    assert scale.downsample == 4.0


@pytest.mark.parametrize("shape", [(20, 25), (40, 300), (300, 9)])
def test_small_images_still_get_patches(pyramid, patch_card, shape) -> None:
    grid = make_grid(_blank(pyramid, shape), patch_card(patch_size_pixels=64), _everywhere(shape))
    assert len(grid.cells) == grid.rows * grid.cols >= 1
    assert grid.box(0, 0) == Box((0, 0), (64, 64))


def test_centre_rule_and_fraction_rule(pyramid, patch_card) -> None:
    tissue = TissueMask(np.zeros((20, 20), bool), (16.0, 16.0))
    tissue.mask[0, 0] = True  # covers 0…16: a quarter of the first patch, without its centre
    tissue.mask[5, 5] = True  # covers 80…96: a quarter of patch (2, 2), with its centre
    source, card = _blank(pyramid, (320, 320)), patch_card()
    assert make_grid(source, card, tissue).cells.tolist() == [[2, 2]]
    assert make_grid(source, card, tissue, min_tissue=0.25).cells.tolist() == [[0, 0], [2, 2]]
    assert make_grid(source, card, tissue, min_tissue=0.26).cells.tolist() == []


def test_unknown_pixel_size_of_a_slide_is_an_error(pyramid, patch_card) -> None:
    with pytest.raises(MissingSpacingError, match=r"slide\.svs .*--mpp"):
        patch_scale(_blank(pyramid, mpp=None), patch_card())


def test_photograph_without_pixel_size_uses_its_own_pixels(pyramid, patch_card) -> None:
    scale = patch_scale(_blank(pyramid, mpp=None, kind="photo"), patch_card(patch_size_pixels=48))
    assert scale.patch_px == (48, 48)
    assert "48 × 48" in scale.note


def test_absurd_pixel_size_is_an_error(pyramid, patch_card) -> None:
    with pytest.raises(GeometryError, match=r"352\.8 µm.*--mpp"):
        patch_scale(_blank(pyramid, mpp=(352.8, 352.8)), patch_card())


def test_coarse_image_is_noted(pyramid, patch_card) -> None:
    assert "coarser" in patch_scale(_blank(pyramid, mpp=(1.0, 1.0)), patch_card()).note
    assert patch_scale(_blank(pyramid, mpp=(0.6, 0.6)), patch_card()).note == ""


@pytest.mark.parametrize("overlap", [1.0, 1.5, float("nan"), float("-inf")])
def test_overlap_must_be_below_one(pyramid, patch_card, overlap) -> None:
    with pytest.raises(GeometryError, match="Overlap"):
        make_grid(_blank(pyramid), patch_card(), _everywhere((500, 700)), overlap)


def test_segmentation_model_is_refused(pyramid, patch_card) -> None:
    from dataclasses import replace

    with pytest.raises(BundleError, match="segment-2d"):
        patch_scale(_blank(pyramid), replace(patch_card(), task="segment-2d"))


def test_transform_centres_cells_on_patches(pyramid, patch_card) -> None:
    source = _blank(pyramid, mpp=(0.25, 0.5))
    grid = make_grid(source, patch_card(), _everywhere((500, 700)), overlap=-0.5)
    place = grid.transform(source.spacing)
    y0, x0, y1, x1 = grid.boxes(np.array([[2, 3]]))[0].tolist()
    centre = ((y0 + y1 - 1) / 2 * 0.25, (x0 + x1 - 1) / 2 * 0.5)
    assert [t + s * i for t, s, i in zip(place.translate, place.scale, (2, 3), strict=True)] == pytest.approx(centre)
    assert grid.transform(None).scale == grid.stride_px


def test_visits_go_block_by_block(pyramid, patch_card) -> None:
    source = _blank(pyramid, (6000, 6000))
    grid = make_grid(source, patch_card(patch_size_pixels=256), _everywhere((6000, 6000)))
    jumps = np.abs(np.diff(grid.cells, axis=0)).max(axis=1)
    first = grid.cells[:16]
    assert first.max(axis=0).tolist() == [3, 3]
    assert np.median(jumps) <= 3


@given(
    rows=st.integers(1, 30), cols=st.integers(1, 30), height=st.integers(1, 9), width=st.integers(1, 9),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_blocks_hold_every_cell_once_and_never_return(rows, cols, height, width, seed) -> None:
    cells = np.argwhere(np.random.default_rng(seed).random((rows, cols)) < 0.6)
    ordered = in_blocks(cells, (height, width))
    assert sorted(map(tuple, ordered.tolist())) == sorted(map(tuple, cells.tolist()))
    visited = [key for key, _ in itertools.groupby(map(tuple, (ordered // (height, width)).tolist()))]
    assert len(visited) == len(set(visited))


@settings(max_examples=30)
@given(mpp=st.floats(0.1, 2), far=st.integers(1000, 200_000))
def test_boxes_do_not_drift(mpp, far) -> None:
    patch = round(350 * 0.25 / mpp) or 1
    count = far // patch + 1
    grid = PatchGrid(count, count, (patch, patch), (patch, patch), (0, 0), np.array([[count - 1, count - 1]]))
    y0, x0, y1, x1 = grid.boxes()[0].tolist()
    assert (y0, x0) == ((count - 1) * patch,) * 2
    assert (y1 - y0, x1 - x0) == (patch, patch)
