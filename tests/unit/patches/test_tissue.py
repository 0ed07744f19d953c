"""Tissue masks and what may be asked of them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_medpatch.patches.tissue import TissueMask, tissue_mask, tissue_steps

INKS = {
    "blue": (40, 70, 170),
    "navy": (30, 40, 110),
    "violet": (72, 67, 152),
    "green": (30, 130, 70),
    "pale blue": (110, 160, 225),
    "pale green": (120, 200, 150),
    "black": (25, 25, 30),
}


def _disc(shape: tuple[int, int] = (600, 800), radius: int = 150) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (y - 300) ** 2 + (x - 400) ** 2 < radius**2


def _full_size(mask: TissueMask, shape: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    points = np.stack([y.ravel(), x.ravel()], axis=1) + 0.5
    return mask.contains(points).reshape(shape)


def _scores(mask: TissueMask, truth: np.ndarray) -> tuple[float, float]:
    """Return recall inside the truth and the leak far outside."""
    from scipy import ndimage

    found = _full_size(mask, truth.shape)
    core = ndimage.binary_erosion(truth, iterations=8)
    far = ~ndimage.binary_dilation(truth, iterations=16)
    return float(found[core].mean()), float(found[far].mean())


@pytest.mark.parametrize("mpp", [(0.5, 0.5), None])
def test_finds_the_stained_disc(pyramid, stained_slide, mpp) -> None:
    recall, leak = _scores(tissue_mask(pyramid(stained_slide, mpp)), _disc())
    assert recall > 0.99
    assert leak < 0.001


@pytest.mark.parametrize("name", INKS)
def test_pen_strokes_are_not_tissue(pyramid, stained_slide, name) -> None:
    slide = stained_slide.astype(float)
    alpha = np.zeros(slide.shape[:2])
    alpha[40:560, 60:160] = 1
    alpha[40:560, 52:60] = alpha[40:560, 160:168] = 0.5
    slide *= (np.array(INKS[name]) / 245) ** alpha[..., None]
    mask = tissue_mask(pyramid(slide.clip(0, 255).astype(np.uint8)))
    recall, leak = _scores(mask, _disc())
    assert recall > 0.99
    assert leak < 0.002


@pytest.mark.parametrize("glass", [(225, 225, 225), (235, 228, 220), (215, 215, 222), (243, 243, 243)])
def test_grey_and_tinted_glass_is_not_tissue(pyramid, stained_slide, glass) -> None:
    slide = stained_slide * (np.array(glass) / 240)
    recall, leak = _scores(tissue_mask(pyramid(slide.clip(0, 255).astype(np.uint8))), _disc())
    assert recall > 0.99
    assert leak < 0.001


def test_pale_stain_is_tissue(pyramid, stained_slide) -> None:
    pale = 240 * (stained_slide.clip(1, 240) / 240) ** 0.25
    pale += np.random.default_rng(1).normal(0, 1.5, pale.shape)
    recall, leak = _scores(tissue_mask(pyramid(pale.clip(0, 255).astype(np.uint8))), _disc())
    assert recall > 0.97
    assert leak < 0.002


def test_brown_and_blue_ihc_is_tissue(pyramid, stained_slide) -> None:
    slide = stained_slide.copy()
    brown = _disc() & (np.mgrid[:600, :800][1] > 400)
    slide[brown] = slide[brown] * np.array([140, 90, 40]) / np.array([180, 100, 180])
    blue = _disc() & (np.mgrid[:600, :800][1] <= 400)
    slide[blue] = (slide[blue].mean(axis=1, keepdims=True) * np.array([0.8, 0.85, 1.1])).clip(0, 255)
    recall, leak = _scores(tissue_mask(pyramid(slide)), _disc())
    assert recall > 0.98
    assert leak < 0.001


def test_blue_collagen_is_a_stain_not_ink(pyramid) -> None:
    rng = np.random.default_rng(0)
    from scipy import ndimage

    blue = ndimage.gaussian_filter(rng.normal(size=(600, 800)), 6) > 0
    slide = np.full((600, 800, 3), 243, np.uint8)
    truth = _disc()
    slide[truth] = np.where(blue[..., None], (60, 110, 190), (190, 60, 90))[truth]
    recall, _ = _scores(tissue_mask(pyramid(slide)), truth)
    assert recall > 0.98


def test_black_borders_are_not_tissue(pyramid, stained_slide) -> None:
    slide = stained_slide.copy()
    slide[:60] = slide[:, :40] = slide[:, -70:] = 0
    found = _full_size(tissue_mask(pyramid(slide)), (600, 800))
    assert not found[:60].any()
    assert not found[:, :40].any()
    assert not found[:, -70:].any()
    assert found[_disc(radius=140)].mean() > 0.99


@pytest.mark.parametrize("value", [255, 230, 0])
def test_an_empty_scan_has_no_tissue(pyramid, value) -> None:
    noise = np.random.default_rng(0).normal(value, 2, (500, 500, 3))
    assert not tissue_mask(pyramid(noise.clip(0, 255).astype(np.uint8))).mask.any()


def test_a_field_without_glass_is_all_tissue(pyramid) -> None:
    assert tissue_mask(pyramid(np.full((512, 700, 3), (160, 32, 240), np.uint8))).mask.all()


def test_tissue_reaches_the_edge_of_the_picture(pyramid, stained_slide) -> None:
    cut = stained_slide[300:, 400:].copy()
    found = _full_size(tissue_mask(pyramid(cut)), (300, 400))
    assert found[0, :140].all()
    assert found[:140, 0].all()


def test_specks_go_and_holes_fill(pyramid, stained_slide) -> None:
    slide = stained_slide.copy()
    slide[20:40, 20:40] = (150, 70, 150)  # 10 µm × 10 µm
    slide[280:320, 380:420] = 240  # 20 µm × 20 µm of glass within the disc
    found = _full_size(tissue_mask(pyramid(slide)), (600, 800))
    assert not found[20:40, 20:40].any()
    assert found[280:320, 380:420].all()


def test_downsample_stays_exact(pyramid) -> None:
    source = pyramid(np.full((3000, 4000, 3), 240, np.uint8), (0.25, 0.25), (4.00009,))
    mask = tissue_mask(source)
    assert mask.downsample == (4.00009, 4.00009)
    assert mask.mask.shape == source.levels[1].shape


def test_photograph_uses_its_field_of_view(pyramid) -> None:
    source = pyramid(np.zeros((90, 120, 3), np.uint8), None, kind="photo")
    source.fov_mask = lambda: np.mgrid[:90, :120][1] < 60
    mask = tissue_mask(source)
    assert mask.contains([[45, 30], [45, 90]]).tolist() == [True, False]


def test_photograph_without_a_field_counts_as_a_whole(pyramid) -> None:
    mask = tissue_mask(pyramid(np.zeros((90, 120, 3), np.uint8), None, kind="photo"))
    assert mask.contains([[0, 0], [89.9, 119.9], [90, 0]]).tolist() == [True, True, False]


def test_steps_report_rising_progress(pyramid, stained_slide) -> None:
    *progress, last = tissue_steps(pyramid(np.tile(stained_slide, (8, 6, 1)), None))
    assert isinstance(last, TissueMask)
    assert progress == sorted(progress)
    assert len(progress) > 1
    assert progress[-1] == pytest.approx(1)


@given(
    seed=st.integers(0, 1000),
    downsample=st.tuples(st.floats(0.5, 70), st.floats(0.5, 70)),
    corner=st.tuples(st.floats(-50, 300), st.floats(-50, 300)),
    extent=st.tuples(st.floats(1, 300), st.floats(1, 300)),
)
def test_fraction_is_the_exact_area(seed, downsample, corner, extent) -> None:
    mask = np.random.default_rng(seed).random((7, 9)) < 0.5
    (y0, x0), (height, width) = corner, extent
    covered = 0.0
    for row, col in np.argwhere(mask).tolist():
        rise = min(y0 + height, (row + 1) * downsample[0]) - max(y0, row * downsample[0])
        run = min(x0 + width, (col + 1) * downsample[1]) - max(x0, col * downsample[1])
        covered += max(0.0, rise) * max(0.0, run)
    found = TissueMask(mask, downsample).fraction([[y0, x0, y0 + height, x0 + width]])
    assert found[0] == pytest.approx(covered / (height * width), abs=1e-6)


def test_an_empty_box_holds_no_tissue() -> None:
    assert TissueMask(np.ones((4, 4), bool), (2.0, 2.0)).fraction([[3, 3, 3, 5]]).tolist() == [0.0]


def test_mosaic_of_real_fields(pyramid, real_data: Path) -> None:
    import tifffile
    from PIL import Image

    slide = tifffile.imread(real_data / "wsi" / "derived_mosaic_ucsb_dev.tiff", key=0)
    found = tissue_mask(pyramid(slide))
    truth = np.asarray(Image.open(real_data / "wsi" / "derived_mosaic_ucsb_dev_truth_ds16.png")) > 0
    centres = np.argwhere(truth >= 0) * 16 + 8
    inside = found.contains(centres).reshape(truth.shape)
    # The truth is of whole fields, a third of which is glass or fat.
    assert inside[truth].mean() > 0.6
    assert inside[~truth].mean() < 0.01
