"""Patches of a coarser level against level 0 reduced by PIL."""

import numpy as np
import pytest
from PIL import Image

from napari_medpatch.infer.coarse_level import LevelFilter, level_filter, triangle_variance
from napari_medpatch.infer.feed import PatchReader


def _texture(height: int, width: int) -> np.ndarray:
    """Smooth noise with the spectrum of tissue: detail at all sizes."""
    rng = np.random.default_rng(0)
    rgb = np.zeros((height, width, 3))
    for step in (1, 2, 4, 8, 16):
        coarse = rng.normal(0, step, (height // step + 2, width // step + 2, 3))
        rgb += np.kron(coarse, np.ones((step, step, 1)))[:height, :width]
    return np.clip(128 + 2 * rgb, 0, 255).astype(np.uint8)


def _halved(rgb: np.ndarray) -> np.ndarray:
    height, width = (n // 2 * 2 for n in rgb.shape[:2])
    blocks = rgb[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    return blocks.mean(axis=(1, 3)).round().astype(np.uint8)


def test_variance_of_the_triangle_is_that_of_pils_weights() -> None:
    assert triangle_variance(1) == 0
    assert triangle_variance(2) == pytest.approx(0.75)  # 1/8 3/8 3/8 1/8
    assert triangle_variance(10) == pytest.approx(100 / 6, rel=0.02)


def test_what_a_level_lacks() -> None:
    assert level_filter((448, 448), (1.0, 1.0), (448, 448), (224, 224)) is None
    near = level_filter((448, 448), (2.0, 2.0), (224, 224), (224, 224))
    assert near is not None
    assert near.variance == pytest.approx((0.125, 0.125))
    far = level_filter((3584, 3584), (2.0, 2.0), (1792, 1792), (224, 224))
    assert far is not None
    assert far.variance == pytest.approx((0, 0), abs=0.2)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, -0.25), (-0.5, 0.5)])
def test_a_straight_slope_moves_by_the_shift(shift: tuple[float, float]) -> None:
    y, x = np.mgrid[:12, :12]
    slope = (8 * y + 4 * x + 20).astype(np.uint8)
    moved = LevelFilter((0.125, 0.1)).apply(np.stack([slope] * 3, axis=-1), shift)[..., 0]
    expected = 8 * (y[1:-1, 1:-1] + shift[0]) + 4 * (x[1:-1, 1:-1] + shift[1]) + 20
    assert np.abs(moved - expected).max() <= 0.5


def test_patches_of_a_level_come_closer_to_level_0(pyramid) -> None:
    rgb = _texture(700, 700)
    source = pyramid(rgb, downsamples=(2.0,))
    source._arrays[1] = _halved(rgb)
    boxes = np.array([[y, x, y + 129, x + 129] for y in (3, 131, 260) for x in (0, 129, 333)], np.int64)
    expected = [
        np.asarray(Image.fromarray(rgb[y0:y1, x0:x1]).resize((64, 64), Image.Resampling.BILINEAR), float)
        for y0, x0, y1, x1 in boxes.tolist()
    ]
    index = np.arange(len(boxes))
    plain = PatchReader(source, boxes, 1).load(index)
    mended = PatchReader(source, boxes, 1, target=(64, 64)).load(index)
    assert plain.shape == mended.shape == (9, 64, 64, 3)
    before, after = np.abs(plain - expected).mean(), np.abs(mended - expected).mean()
    assert after < 0.6 * before


def test_the_edge_of_the_slide_needs_no_pixels_beyond_it(pyramid) -> None:
    source = pyramid(np.full((64, 64, 3), 100, np.uint8), downsamples=(2.0,))
    patch = PatchReader(source, np.array([[0, 0, 64, 64]], np.int64), 1, target=(32, 32)).load(np.array([0]))[0]
    assert (patch[1:-1, 1:-1] == 100).all()
    assert patch.min() >= 100
