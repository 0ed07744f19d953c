"""Tiles through OpenSlide: compositing, handles after errors, direct pages only where pixels are the same."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from slide_cases import overwrite, picture, shrunk, tile_range, write_pyramid

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.openslide_tiles import OpenSlideTiles, _downsample, flatten, open_handle
from napari_medpatch.io.tiff_pages import FileBytes, PageTiles

FINE = picture(300, 420)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_flatten_is_the_weighted_mean_with_the_background(colour: int, alpha: int, under: int) -> None:
    rgba = np.full((2, 3, 4), colour, np.uint8)
    rgba[..., 3] = alpha
    expected = (colour * alpha + under * (255 - alpha)) / 255
    np.testing.assert_allclose(flatten(rgba, (under,) * 3), expected, atol=0.51)


def test_flatten_of_opaque_pixels_is_a_contiguous_copy_of_the_colours() -> None:
    rgba = np.concatenate([FINE, np.full((300, 420, 1), 255, np.uint8)], axis=-1)
    result = flatten(rgba, (0, 0, 0))
    np.testing.assert_array_equal(result, FINE)
    assert result.flags.c_contiguous


def test_tiles_are_the_slides_pixels(tmp_path: Path) -> None:
    reader = OpenSlideTiles(write_pyramid(tmp_path / "a.tif", [FINE], compression="deflate"))
    assert reader.levels[0].tile == (256, 256)
    np.testing.assert_array_equal(reader.tile(0, 1, 1), FINE[256:, 256:])
    reader.close()


def test_pages_with_other_pixels_are_not_used(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE, shrunk(FINE, 150, 210)], compression="deflate")
    other = write_pyramid(tmp_path / "b.tif", [255 - FINE, shrunk(FINE, 150, 210)], compression="deflate")
    reader, stream = OpenSlideTiles(path), FileBytes(other)
    with tifffile.TiffFile(other) as tif:
        reader.use_pages({index: PageTiles(page, stream) for index, page in enumerate(tif.pages)}, stream)
    assert reader.direct == (False, True)
    np.testing.assert_array_equal(reader.tile(0, 0, 0), FINE[:256, :256])
    reader.close()


def test_an_error_spoils_neither_the_next_read_nor_other_tiles(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE], compression="jpeg", tile=(256, 256))
    offset, count = tile_range(path, 0, 1)
    overwrite(path, offset, b"\0" * count)
    reader = OpenSlideTiles(path)
    for _ in range(2):
        with pytest.raises(DamagedFileError, match=r"a\.tif is damaged at level 0, rows 0–255, columns 256–419"):
            reader.tile(0, 0, 1)
        assert reader.tile(0, 0, 0).shape == (256, 256, 3)
    reader.close()


def test_a_slide_that_was_deleted_says_so(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE], compression="jpeg", tile=(256, 256))
    reader = OpenSlideTiles(path)
    path.unlink()
    with pytest.raises(DamagedFileError, match=r"a\.tif is no longer there"):
        reader.tile(0, 0, 0)
    reader.close()


def test_what_openslide_refuses_is_unsupported_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.write_text("no slide")
    with pytest.raises(UnsupportedFormatError, match=r"a\.svs cannot be opened as a slide \(OpenSlide: Unsupported"):
        open_handle(path)


class Stated:
    """A handle that states its downsamples."""

    def __init__(self, value: float) -> None:
        self.level_downsamples = (1.0, value)


def test_the_downsample_follows_the_axes_unless_the_format_states_another() -> None:
    assert _downsample(Stated((4.2 + 4.0) / 2), 1, (4.2, 4.0)) == (4.2, 4.0)
    assert _downsample(Stated(4.0), 1, (3.9, 3.7)) == (4.0, 4.0)  # Philips pads its levels


def test_the_background_colour_of_the_file_is_used(real_data: Path) -> None:
    reader = OpenSlideTiles(real_data / "wsi/CMU-1-Small-Region.svs")
    assert reader.background == (255, 255, 255)
    assert sorted(reader.associated()) == ["label", "macro", "thumbnail"]
    assert reader.associated()["label"]().shape == (463, 387, 3)
    reader.close()
