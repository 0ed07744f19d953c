"""The low-resolution picture."""

import numpy as np
import pytest

from napari_medpatch.patches.overview import Overview, read_overview, working_downsample


def _overview(source, downsample: float) -> Overview:
    *_, last = read_overview(source, downsample)
    assert isinstance(last, Overview)
    return last


def test_pixels_are_means_of_whole_cells(pyramid) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    overview = _overview(pyramid(rgb), 4.9)
    assert overview.downsample == (4.0, 4.0)
    means = rgb.reshape(15, 4, 20, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(overview.rgb, means, atol=1e-4)


def test_last_cells_repeat_the_edge(pyramid) -> None:
    rgb = np.full((61, 83, 3), 200, np.uint8)
    rgb[60] = 100
    overview = _overview(pyramid(rgb), 4)
    assert overview.rgb.shape == (16, 21, 3)
    assert overview.rgb[15, 20].tolist() == [100, 100, 100]
    assert overview.rgb[14, 20].tolist() == [200, 200, 200]


def test_blocks_meet_without_seams(pyramid) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (2500, 4200, 3), np.uint8)
    source = pyramid(rgb)
    overview = _overview(source, 2)
    assert len(source.reads) > 1
    np.testing.assert_allclose(overview.rgb, rgb.reshape(1250, 2, 2100, 2, 3).mean(axis=(1, 3)), atol=1e-4)


def test_reads_the_level_that_is_just_fine_enough(pyramid) -> None:
    source = pyramid(np.zeros((640, 640, 3), np.uint8), downsamples=(4.0, 16.002))
    overview = _overview(source, 15.9)
    assert {level for level, _ in source.reads} == {1}
    assert overview.downsample == (12.0, 12.0)


@pytest.mark.parametrize(
    ("shape", "mpp", "expected"),
    [
        ((80_000, 100_000), 0.25, 100_000 / 2048),
        ((20_000, 16_000), 0.25, 16.0),
        ((2967, 2220), 0.5, 2967 / 512),
        ((2048, 1024), None, 2.0),
        ((300, 200), 0.5, 1.0),
    ],
)
def test_working_resolution(pyramid, shape, mpp, expected) -> None:
    source = pyramid(np.zeros((1, 1, 3), np.uint8), None if mpp is None else (mpp, mpp))
    source.levels = (type(source.levels[0])(shape, (1.0, 1.0)),)
    assert working_downsample(source) == pytest.approx(expected)


def test_a_slide_without_a_pyramid_is_reduced_in_steps(pyramid) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    flat = pyramid(rgb)
    flat.fill_overview = lambda: iter([(1, 3), (2, 3), (3, 3)])
    *fractions, overview = read_overview(flat, 4)
    assert isinstance(overview, Overview)
    assert fractions == sorted(fractions)
    assert len(fractions) >= 4
    assert fractions[-1] == 1
    np.testing.assert_allclose(overview.rgb, rgb.reshape(150, 4, 200, 4, 3).mean(axis=(1, 3)), atol=1e-4)
