"""Samples of TIFF pages to RGB bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from slide_cases import picture

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.tiff_colour import colour_reader, scaled

RGB = picture(20, 30)
GREY = RGB[..., 0]


def converted(path: Path, array: np.ndarray, bits: int | None = None, **options: Any) -> np.ndarray:
    """Write an array, read it with tifffile and convert it."""
    tifffile.imwrite(path, array, metadata=None, **options)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        samples = page.asarray()
        if samples.ndim == 2:
            samples = samples[..., None]
        return colour_reader(page, path, bits)(samples)


def test_rgb_is_unchanged(tmp_path: Path) -> None:
    result = converted(tmp_path / "a.tif", RGB, photometric="rgb")
    np.testing.assert_array_equal(result, RGB)
    assert result.flags.c_contiguous


def test_grey_is_repeated_and_white_zero_is_turned_round(tmp_path: Path) -> None:
    grey = converted(tmp_path / "a.tif", GREY, photometric="minisblack")
    np.testing.assert_array_equal(grey, np.stack([GREY] * 3, -1))
    np.testing.assert_array_equal(converted(tmp_path / "b.tif", GREY, photometric="miniswhite"), 255 - grey)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    result = converted(tmp_path / "a.tif", GREY > 127, photometric="minisblack")
    np.testing.assert_array_equal(result[..., 1], np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize(("bits", "top"), [(None, 65535), (12, 4095), (8, 255)])
def test_deep_values_are_scaled_linearly(tmp_path: Path, bits: int | None, top: int) -> None:
    deep = np.linspace(0, top, 600).astype(np.uint16).reshape(20, 30)
    result = converted(tmp_path / "a.tif", deep, bits, photometric="minisblack")
    np.testing.assert_array_equal(result[..., 0], np.rint(deep * (255 / top)))


def test_values_above_the_used_bits_are_clipped() -> None:
    assert scaled(np.array([[[0], [4095], [60000]]], np.uint16), 12).ravel().tolist() == [0, 255, 255]


def test_palettes_are_looked_up(tmp_path: Path) -> None:
    colormap = np.random.default_rng(0).integers(0, 65536, (3, 256)).astype(np.uint16)
    result = converted(tmp_path / "a.tif", GREY, photometric="palette", colormap=colormap)
    np.testing.assert_array_equal(result, (colormap >> 8).astype(np.uint8).T[GREY])


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
def test_unassociated_alpha_is_laid_on_white(tmp_path: Path, photometric: str) -> None:
    colours = RGB if photometric == "rgb" else GREY[..., None]
    alpha = np.linspace(0, 255, 600).astype(np.uint8).reshape(20, 30, 1)
    samples = np.concatenate([colours, alpha], axis=-1)
    result = converted(tmp_path / "a.tif", samples, photometric=photometric, extrasamples=["unassalpha"])
    weight = alpha / 255
    np.testing.assert_allclose(result, np.broadcast_to(colours * weight + 255 * (1 - weight), RGB.shape), atol=0.51)


def test_associated_alpha_is_multiplied_already(tmp_path: Path) -> None:
    alpha = np.full((20, 30, 1), 128, np.uint8)
    samples = np.concatenate([RGB // 2, alpha], axis=-1)
    result = converted(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_array_equal(result, RGB // 2 + 127)


def test_an_unspecified_extra_sample_is_ignored(tmp_path: Path) -> None:
    samples = np.concatenate([RGB, np.zeros((20, 30, 1), np.uint8)], axis=-1)
    np.testing.assert_array_equal(
        converted(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["unspecified"]), RGB
    )


@pytest.mark.parametrize(
    ("array", "options", "word"),
    [
        (GREY.astype(np.float32), {"photometric": "minisblack"}, "float32"),
        (GREY.astype(np.int16), {"photometric": "minisblack"}, "int16"),
        (GREY.astype(np.uint32), {"photometric": "minisblack"}, "32 bits"),
        (np.stack([GREY] * 4, -1), {"photometric": "separated"}, "CMYK"),
        (RGB, {"photometric": "cielab"}, "CIELab"),
        (np.stack([GREY] * 5, -1), {"photometric": "minisblack", "planarconfig": "contig"}, "5 samples"),
        (RGB, {"photometric": "ycbcr"}, "YCbCr"),
    ],
)
def test_what_is_not_a_colour_is_refused_by_name(
    tmp_path: Path, array: np.ndarray, options: dict[str, Any], word: str
) -> None:
    with pytest.raises(UnsupportedFormatError, match=word):
        converted(tmp_path / "a.tif", array, **options)


def test_old_style_jpeg_is_refused(real_data: Path) -> None:
    path = real_data / "odd/tiff/ojpeg-tile.tif"
    with pytest.raises(UnsupportedFormatError, match="old-style JPEG"), tifffile.TiffFile(path) as tif:
        colour_reader(tif.pages.first, path)
