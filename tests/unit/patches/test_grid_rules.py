"""Tilings, strides, shares of tissue and regions of interest: which patches a grid takes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_medpatch.errors import BundleError, GeometryError, MissingSpacingError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.card import ModelCard
from napari_medpatch.patches.grid import make_grid, patch_scale
from napari_medpatch.patches.presets import TILINGS, tiling_named
from napari_medpatch.patches.roi import Region
from napari_medpatch.patches.tissue import TissueMask

CARD = ModelCard("m", "patch-classifier", "none", ("a", "b"), patch_size_pixels=32, spacing_um_px=0.5)


def _source(shape=(500, 700), mpp=(0.5, 0.5), kind="slide") -> ArraySource:
    return ArraySource(np.zeros((*shape, 3), np.uint8), kind, mpp)


def _everywhere(shape) -> TissueMask:
    return TissueMask(np.ones((1, 1), bool), (float(shape[0]), float(shape[1])))


def _square(y0, x0, y1, x1) -> Region:
    return Region((np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]], float),))


@pytest.mark.parametrize(
    ("stride_um", "expected"), [(16.0, (32, 64)), (8.0, (16, 32)), (40.0, (80, 160)), (0.1, (1, 1))]
)
def test_stride_in_um_is_the_same_length_along_both_axes(stride_um, expected) -> None:
    grid = make_grid(_source(mpp=(0.5, 0.25)), CARD, _everywhere((500, 700)), 0.9, stride_um=stride_um)
    assert grid.stride_px == expected
    assert grid.patch_px == (32, 64)


def test_exact_stride_uses_the_mean_pixel_size() -> None:
    grid = make_grid(_source(mpp=(0.6, 0.4)), CARD, _everywhere((500, 700)), stride_um=10, exact=True)
    assert grid.stride_px == (20, 20)


@pytest.mark.parametrize("stride_um", [0, -4, float("nan"), float("inf")])
def test_impossible_strides_are_refused(stride_um) -> None:
    with pytest.raises(GeometryError, match="stride"):
        make_grid(_source(), CARD, _everywhere((500, 700)), stride_um=stride_um)


def test_a_stride_in_um_needs_a_pixel_size() -> None:
    photo = _source(mpp=None, kind="photo")
    assert len(make_grid(photo, CARD, _everywhere((500, 700))).cells)
    with pytest.raises(MissingSpacingError, match="--mpp"):
        make_grid(photo, CARD, _everywhere((500, 700)), stride_um=20)


def test_a_negative_overlap_leaves_gaps_of_that_share() -> None:
    grid = make_grid(_source(), CARD, _everywhere((500, 700)), -0.5)
    boxes = grid.boxes(np.array([[0, 0], [0, 1], [1, 0]]))
    assert boxes[1, 1] - boxes[0, 3] == boxes[2, 0] - boxes[0, 2] == 16


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(9, 900), st.integers(9, 900)),
    mpp=st.tuples(st.floats(0.2, 1.1), st.floats(0.2, 1.1)),
    overlap=st.floats(-2, 0.8),
    tiling=st.sampled_from(["wsinfer", "wsinfer-full"]),
    seed=st.integers(0, 99),
)
def test_no_patch_twice_and_every_one_begins_inside(shape, mpp, overlap, tiling, seed) -> None:
    mask = np.random.default_rng(seed).random((8, 8)) < 0.7
    tissue = TissueMask(mask, (shape[0] / 8, shape[1] / 8))
    grid = make_grid(_source(shape, mpp), CARD, tissue, overlap, tiling=tiling)
    whole = make_grid(_source(shape, mpp), CARD, _everywhere(shape), overlap, tiling=tiling)
    assert len({tuple(cell) for cell in grid.cells.tolist()}) == len(grid.cells)
    assert (grid.cells >= 0).all()
    assert (grid.cells < (grid.rows, grid.cols)).all()
    boxes = grid.boxes()
    assert (boxes[:, :2] < shape).all()
    assert (boxes[:, 2:] > 0).all()
    # The order of visit is a permutation of all cells where everything is tissue.
    rows, cols = whole.rows, whole.cols
    assert sorted(map(tuple, whole.cells.tolist())) == [(r, c) for r in range(rows) for c in range(cols)]


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    overlap=st.floats(-1, 0.7),
)
def test_strip_tiles_cover_the_whole_slide(shape, overlap) -> None:
    grid = make_grid(_source(shape), CARD, _everywhere(shape), overlap, tiling="strip", min_tissue=1e-6)
    boxes = grid.boxes()
    assert grid.patch_px == (600, 600)
    assert len(grid.cells) == grid.rows * grid.cols
    if overlap >= 0:
        assert boxes[:, 2].max() >= shape[0]
        assert boxes[:, 3].max() >= shape[1]
    assert (boxes[:, :2] < shape).all()


@pytest.mark.parametrize(("unblank_px", "taken"), [(180, False), (181, True), (600, True), (0, False)])
def test_strip_drops_tiles_of_which_seven_tenths_are_blank(unblank_px, taken) -> None:
    mask = np.zeros((600, 600), bool)
    mask[:, :unblank_px] = True
    grid = make_grid(_source((600, 600)), CARD, TissueMask(mask, (1.0, 1.0)), tiling="strip")
    assert len(grid.cells) == int(taken or unblank_px > 0)  # an image no larger than one tile is taken for any tissue
    wide = TissueMask(np.pad(mask, ((0, 0), (0, 600))), (1.0, 1.0))
    cells = make_grid(_source((600, 1200)), CARD, wide, tiling="strip").cells.tolist()
    assert ([0, 0] in cells) == taken
    assert [0, 1] not in cells


def test_what_lies_outside_the_slide_counts_as_blank() -> None:
    # The last column of tiles has 150 of 600 pixels on the slide, all of it tissue: 75 % blank.
    cells = make_grid(_source((600, 750)), CARD, _everywhere((600, 750)), tiling="strip").cells.tolist()
    assert cells == [[0, 0]]


def test_strip_tiles_are_pixels_of_the_models_spacing_or_the_slides_own() -> None:
    source = _source((3000, 3000), (0.25, 0.25))
    assert patch_scale(source, CARD, tiling="strip").patch_px == (1200, 1200)
    assert "600 pixels wide" in patch_scale(source, CARD, tiling="strip").note
    own = patch_scale(source, replace(CARD, spacing_um_px=None, patch_size_pixels=None), tiling="strip")
    assert (own.patch_px, own.downsample) == ((600, 600), 1.0)
    assert "own pixels" in own.note


def test_models_that_say_nothing_of_their_patches_are_refused_elsewhere() -> None:
    with pytest.raises(BundleError, match="patch_size_pixels"):
        patch_scale(_source(), replace(CARD, spacing_um_px=None))


def test_slide_classifiers_look_at_patches_too() -> None:
    assert patch_scale(_source(), replace(CARD, task="slide-mil")).patch_px == (32, 32)


def test_tilings_have_a_name_and_a_source() -> None:
    assert {"wsinfer", "strip"} <= set(TILINGS)
    assert all(tiling.name == name and len(tiling.description) > 40 for name, tiling in TILINGS.items())
    with pytest.raises(GeometryError, match=r"'squares'.*wsinfer.*strip"):
        tiling_named("squares")


def test_a_region_takes_patches_whose_centre_is_inside_and_on_tissue() -> None:
    shape = (320, 320)
    half = TissueMask(np.array([[True, False]]), (320.0, 160.0))
    grid = make_grid(_source(shape), CARD, half, roi=_square(30, 100, 130, 300))
    centres = grid.boxes()[:, :2] + 16
    assert sorted(map(tuple, centres.tolist())) == [(y, x) for y in (48, 80, 112) for x in (112, 144)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), overlap=st.floats(-1, 0.7), fraction=st.one_of(st.none(), st.floats(0.01, 1)))
def test_a_region_only_takes_away(seed, overlap, fraction) -> None:
    rng = np.random.default_rng(seed)
    tissue = TissueMask(rng.random((10, 14)) < 0.6, (50.0, 50.0))
    roi = Region((rng.uniform(0, 700, (5, 2)),))
    options = {"overlap": overlap, "min_tissue": fraction}
    every = make_grid(_source(), CARD, tissue, **options)
    some = make_grid(_source(), CARD, tissue, **options, roi=roi)
    expected = every.cells[roi.contains(every.boxes()[:, :2] + 16)]
    assert some.cells.tolist() == expected.tolist()


@pytest.mark.parametrize(("roi", "taken"), [(_square(0, 0, 5, 5), 1), (_square(50, 50, 60, 60), 0)])
def test_an_image_smaller_than_a_patch_is_taken_if_the_region_meets_it(roi, taken) -> None:
    grid = make_grid(_source((20, 25)), CARD, _everywhere((20, 25)), roi=roi)
    assert len(grid.cells) == taken


def test_a_million_patches_in_a_region_take_seconds() -> None:
    import time

    turn = np.sort(np.random.default_rng(0).uniform(0, 2 * np.pi, 10_000))
    roi = Region((np.stack([16_000 + 15_000 * np.sin(turn), 16_000 + 15_000 * np.cos(turn)], axis=1),))
    began = time.process_time()
    cells = np.stack(np.meshgrid(np.arange(1000), np.arange(1000), indexing="ij"), axis=-1).reshape(-1, 2)
    inside = roi.contains(cells * 32 + 16)
    assert time.process_time() - began < 5
    assert inside.mean() == pytest.approx(np.pi * 15_000**2 / 32_000**2, abs=2e-3)
