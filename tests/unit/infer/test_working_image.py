import numpy as np
import pytest
from resampled import to_working
from unet_bundles import card

from napari_medpatch.geometry import Box
from napari_medpatch.infer.working_grid import WorkingGrid
from napari_medpatch.infer.working_image import PictureImage, VolumeImage
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.preprocess import normalise_image, normalise_volume


def volume() -> ArraySource:
    rng = np.random.default_rng(0)
    return ArraySource(rng.integers(-1000, 500, (9, 20, 30)).astype(np.int16), "volume", (2.0, 1.0, 1.0))


@pytest.mark.parametrize("working", [(2.0, 1.0, 1.0), (3.0, 3.0, 2.0)])
def test_a_block_of_a_volume_is_cut_from_the_resampled_whole(working: tuple[float, ...]) -> None:
    source, described = volume(), card()
    whole, grid = to_working(source.data, (2.0, 1.0, 1.0), working)
    image = VolumeImage(source, described, grid)
    assert list(image.prepare())[-1] <= 1.0
    box = Box((1, 2, 3), (3, 6, 9))
    block = image.block(box)
    assert block.dtype == np.float32
    assert block.shape == (1, 2, 4, 6)
    np.testing.assert_allclose(block[0], normalise_volume(whole[box.slices], described), atol=1e-6)


def test_beyond_a_volume_is_air() -> None:
    source, described = volume(), card()
    image = VolumeImage(source, described, WorkingGrid.centred((9, 20, 30), (1.0,) * 3))
    list(image.prepare())
    block = image.block(Box((8, 18, 28), (12, 20, 32)))
    assert block.shape == (1, 4, 2, 4)
    assert not block[0, 1:].any()
    assert not block[0, :, :, 2:].any()
    np.testing.assert_allclose(block[0, :1, :, :2], normalise_volume(source.data[8:, 18:, 28:], described), atol=1e-6)


@pytest.mark.parametrize(("low", "high", "noted"), [(-1000, 400, False), (0, 900, True), (-210, -100, True)])
def test_hounsfield_units_reach_down_to_air(low: int, high: int, noted: bool) -> None:
    values = np.linspace(low, high, 1000).reshape(10, 10, 10).astype(np.int16)
    image = VolumeImage(ArraySource(values, "volume"), card(), WorkingGrid.centred(values.shape, (1.0,) * 3))
    list(image.prepare())
    assert bool(image.notes()) is noted


def test_blocks_of_a_picture_fit_together_and_the_border_is_repeated() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    described = card("segment-2d", in_channels=3)
    image = PictureImage(ArraySource(rgb, "photo"), described, WorkingGrid.centred((50, 70), (2.5, 2.5)))
    list(image.prepare())
    assert image.notes() == []
    whole = image.block(Box((0, 0), (24, 32)))
    assert whole.shape == (3, 24, 32)
    np.testing.assert_allclose(image.block(Box((4, 8), (12, 20))), whole[:, 4:12, 8:20], atol=1e-5)
    # The grid has 20 × 28 pixels; a pixel beyond sees what the last one could have seen at most.
    assert np.array_equal(whole[:, 21], whole[:, 23])
    assert 0 <= whole.min() < whole.max() <= 1


def test_a_picture_at_its_own_resolution_is_only_normalised() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (10, 12, 3)).astype(np.uint8)
    described = card("segment-2d", in_channels=3)
    image = PictureImage(ArraySource(rgb, "photo"), described, WorkingGrid.centred((10, 12), (1.0, 1.0)))
    expected = np.moveaxis(normalise_image(rgb, described), 2, 0)
    np.testing.assert_allclose(image.block(Box.whole((10, 12))), expected, atol=1e-6)
    np.testing.assert_allclose(image.block(Box((2, 3), (5, 9))), expected[:, 2:5, 3:9], atol=1e-6)
