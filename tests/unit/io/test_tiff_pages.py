"""Tiles and strips of TIFF pages, in every layout and compression, equal tifffile's whole image."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from slide_cases import overwrite, picture, tile_range, write_pyramid

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io import tiff_pages
from napari_medpatch.io.tiff_pages import FileBytes, PageTiles
from napari_medpatch.io.tiff_tiles import _whole

PICTURE = picture(301, 427)


def tiles_of(path: Path, page: int = 0) -> PageTiles:
    with tifffile.TiffFile(path) as tif:
        return PageTiles(tif.pages[page], FileBytes(path))


def whole(path: Path) -> np.ndarray:
    tiles = tiles_of(path)
    pixels = _whole(tiles)()
    tiles._file.close()
    return pixels


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "jpeg", "zstd", "packbits"])
@pytest.mark.parametrize("layout", [{"tile": (64, 64)}, {"tile": (320, 448)}, {"tile": None, "rowsperstrip": 7}])
def test_compressions_and_layouts(tmp_path: Path, compression: str | None, layout: dict[str, Any]) -> None:
    path = write_pyramid(tmp_path / "a.tif", [PICTURE], compression=compression, **layout)
    np.testing.assert_array_equal(whole(path), tifffile.imread(path))


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2)])
def test_jpeg_in_ycbcr_with_any_subsampling(tmp_path: Path, subsampling: tuple[int, int]) -> None:
    path = write_pyramid(
        tmp_path / "a.tif", [PICTURE], compression="jpeg", photometric="rgb", subsampling=subsampling, tile=(128, 128)
    )
    pixels = whole(path)
    np.testing.assert_array_equal(pixels, tifffile.imread(path))
    assert np.abs(pixels.astype(int) - PICTURE).mean() < 12


@pytest.mark.parametrize("layout", [{"tile": (64, 64)}, {"tile": None, "rowsperstrip": 16}])
@pytest.mark.parametrize("compression", [None, "lzw"])
def test_separate_colour_planes(tmp_path: Path, layout: dict[str, Any], compression: str | None) -> None:
    path = write_pyramid(
        tmp_path / "a.tif", [PICTURE.transpose(2, 0, 1)], planarconfig="separate", compression=compression, **layout
    )
    np.testing.assert_array_equal(whole(path), PICTURE)


@pytest.mark.parametrize("predictor", [False, True])
def test_predictors_and_byte_orders(tmp_path: Path, predictor: bool) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PICTURE, photometric="rgb", compression="lzw", predictor=predictor, byteorder=">")
    np.testing.assert_array_equal(whole(path), PICTURE)


def test_uncompressed_rows_are_read_without_reading_the_whole_strip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PICTURE.astype(">u2") * 256, photometric="rgb", rowsperstrip=301, byteorder=">")
    monkeypatch.setattr(tiff_pages, "_BLOCK_PIXELS", 427 * 10)
    tiles = tiles_of(path)
    assert tiles.tile_shape == (10, 427)
    read: list[int] = []
    original = tiles._file.read
    monkeypatch.setattr(tiles._file, "read", lambda offset, count: (read.append(count), original(offset, count))[1])
    np.testing.assert_array_equal(tiles.tile(30, 0), np.round(PICTURE[300:].astype(float) * 256 / 257))
    assert read == [427 * 3 * 2]
    tiles._file.close()


def test_small_tiles_and_strips_are_grouped(tmp_path: Path) -> None:
    tiled = tiles_of(write_pyramid(tmp_path / "tiled.tif", [PICTURE], tile=(48, 80)))
    assert tiled.tile_shape == (288, 320)
    strips = tiles_of(write_pyramid(tmp_path / "strips.tif", [PICTURE], tile=None, rowsperstrip=4, compression="lzw"))
    assert strips.tile_shape == (304, 427)
    for tiles in (tiled, strips):
        tiles._file.close()


def test_empty_tiles_of_sparse_files_are_background(tmp_path: Path) -> None:
    def blocks() -> Any:
        yield PICTURE[:256, :256]
        yield None
        yield None
        yield PICTURE[256:, 256:]

    path = tmp_path / "sparse.tif"
    tifffile.imwrite(path, blocks(), shape=PICTURE.shape, dtype=np.uint8, tile=(256, 256), photometric="rgb")
    tiles = tiles_of(path)
    assert tiles.tile(0, 1) is None
    filled = tiles.tile_at(0, 1, (1, 2, 3))
    assert filled.shape == (256, 171, 3)
    assert (filled == (1, 2, 3)).all()
    np.testing.assert_array_equal(tiles.tile_at(1, 1, (1, 2, 3)), PICTURE[256:, 256:])
    tiles._file.close()


def test_a_damaged_tile_names_file_and_place(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "bad.tif", [PICTURE], tile=(256, 256), compression="jpeg")
    offset, count = tile_range(path, 0, 1)
    overwrite(path, offset, b"\0" * count)
    tiles = tiles_of(path)
    with pytest.raises(
        DamagedFileError, match=r"bad\.tif is damaged in its 301 × 427 image at rows 0–255, columns 256"
    ):
        tiles.tile(0, 1)
    assert tiles.tile(0, 0) is not None
    tiles._file.close()


@pytest.mark.parametrize("rest", [b"", b"\0\0\0"])
def test_a_jpeg_tile_that_ends_early_is_damaged_and_padding_is_not(tmp_path: Path, rest: bytes) -> None:
    path = write_pyramid(tmp_path / "a.tif", [PICTURE], tile=(256, 256), compression="jpeg")
    tiles = tiles_of(path)
    data = tiles._file.read(tiles._offsets[0], tiles._counts[0])
    whole_tile = tiles.tile(0, 0)
    read = tiles._file.read
    tiles._file.read = lambda offset, count: data + rest  # type: ignore[method-assign]
    np.testing.assert_array_equal(tiles.tile(0, 0), whole_tile)
    tiles._file.read = lambda offset, count: data[: count // 2] + rest  # type: ignore[method-assign]
    with pytest.raises(DamagedFileError, match="JPEG data end early"):
        tiles.tile(0, 0)
    tiles._file.read = read  # type: ignore[method-assign]
    tiles._file.close()


def test_a_file_is_closed_when_nobody_uses_it_and_closing_twice_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abcdef")
    stream = FileBytes(path)
    assert stream.read(2, 3) == b"cde"
    descriptor = stream._descriptor
    stream.close()
    stream.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)
    forgotten = FileBytes(path)
    descriptor = forgotten._descriptor
    del forgotten
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)


def test_a_file_that_ends_early_is_damaged(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "cut.tif", [PICTURE], tile=(256, 256))
    tiles = tiles_of(path)
    with path.open("r+b") as stream:
        stream.truncate(10_000)
    with pytest.raises(DamagedFileError, match="the file ends at byte"):
        tiles.tile(1, 1)
    tiles._file.close()


def test_one_huge_compressed_strip_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_pages, "_LARGEST_SEGMENT", 100_000)
    path = tmp_path / "strip.tif"
    tifffile.imwrite(path, PICTURE, photometric="rgb", rowsperstrip=301, compression="lzw")
    stream = FileBytes(path)
    with pytest.raises(UnsupportedFormatError, match="tiled TIFF"), tifffile.TiffFile(path) as tif:
        PageTiles(tif.pages.first, stream)
    stream.close()
