"""Pixels equal OpenSlide's on every level of every slide: real ones, and phantoms of awkward sizes."""

from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile
from oracle_cases import (
    APERIO,
    openslide_box,
    openslide_level,
    padded,
    random_boxes,
    stored_levels,
    write_shared_tables,
    write_sparse,
)
from slide_cases import picture, shrunk, write_pyramid

from napari_medpatch.io.detect import open_source
from napari_medpatch.io.slide import OpenSlideSource

REAL_SLIDES = [
    "wsi/CMU-1-Small-Region.svs",
    "wsi/CMU-1-Small-Region_dicom",
    "wsi/boxes.tiff",
    "wsi/derived_CMU-1-Small-Region_pyramid.tiff",
    "wsi/derived_mosaic_ucsb_dev.tiff",
    "odd/dicom/sm_image.dcm",
    "odd/tiff/valid_tiff_grey_2levels.tif",
]
FINE = picture(513, 769)
PYRAMID = [FINE, shrunk(FINE, 256, 384)]  # 513 / 256 is no whole number: OpenSlide blends


def assert_equals_openslide(
    path: Path, *, entry: Path | None = None, direct: bool | None = None, count: int = 12
) -> None:
    """Compare random boxes of every stored level with OpenSlide."""
    with open_source(path) as source, openslide.OpenSlide(entry or path) as slide:
        assert isinstance(source, OpenSlideSource)
        if direct is not None:
            assert source.metadata["direct_levels"] == (slide.level_count if direct else 0)
        for level, index in enumerate(stored_levels(source)):
            whole = openslide_level(slide, level)
            assert whole.shape[:2] == source.levels[index].shape
            for box in random_boxes(source.levels[index].shape, count, seed=level):
                pixels = source.read(index, box)
                assert pixels.flags.c_contiguous
                if slide.level_downsamples[level] % 1 == 0:
                    np.testing.assert_array_equal(pixels, openslide_box(slide, level, box))
                np.testing.assert_array_equal(pixels, padded(whole, box))


@pytest.mark.parametrize("name", REAL_SLIDES)
def test_every_level_of_the_real_slides_equals_openslide(real_data: Path, name: str) -> None:
    path = real_data / name
    assert_equals_openslide(path, entry=sorted(path.iterdir())[0] if path.is_dir() else path)


def test_every_slide_of_the_folder_is_compared(real_data: Path) -> None:
    """A new real slide must be added above; the OME-TIFF, which OpenSlide refuses, is compared below."""
    found = {f"wsi/{path.name}" for path in (real_data / "wsi").iterdir() if path.suffix not in (".geojson", ".png")}
    assert found == {name for name in REAL_SLIDES if name.startswith("wsi/")} | {"wsi/instanseg_HE_example.ome.tif"}


def test_the_ome_tiff_that_openslide_refuses_equals_its_pages(real_data: Path) -> None:
    path = real_data / "wsi/instanseg_HE_example.ome.tif"
    with pytest.raises(openslide.OpenSlideError):
        openslide.OpenSlide(path)
    assert_equals_pages(path)


def assert_equals_pages(path: Path) -> None:
    """Compare random boxes of every stored level with what tifffile reads as a whole."""
    with open_source(path) as source, tifffile.TiffFile(path) as tif:
        levels = tif.series[0].levels if len(tif.series) == 1 else list(tif.pages)
        assert len(stored_levels(source)) == len(levels)
        for index, level in zip(stored_levels(source), levels, strict=True):
            whole = level.asarray()
            whole = np.moveaxis(whole, 0, -1) if whole.shape[0] == 3 else whole
            for box in random_boxes(source.levels[index].shape, 12):
                np.testing.assert_array_equal(source.read(index, box), padded(whole, box))


@pytest.mark.parametrize("tile", [(256, 256), (240, 240), (512, 512), (128, 64)])
@pytest.mark.parametrize("options", [
    {"compression": "jpeg", "subsampling": (1, 1)},
    {"compression": "jpeg", "subsampling": (2, 1)},
    {"compression": "jpeg", "subsampling": (2, 2)},
    {"compression": "jpeg", "compressionargs": {"outcolorspace": "rgb"}},
    {"compression": "deflate"},
    {"compression": "lzw", "predictor": True},
    {"compression": "zstd"},
], ids=["444", "422", "420", "rgb", "deflate", "lzw", "zstd"])  # fmt: skip
def test_tiles_of_any_size_and_codec(tmp_path: Path, tile: tuple[int, int], options: dict[str, Any]) -> None:
    assert_equals_openslide(write_pyramid(tmp_path / "a.tif", PYRAMID, tile=tile, **options), direct=True, count=5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (257, 513), (255, 241), (1023, 3)])
@pytest.mark.parametrize("compression", ["jpeg", None])
def test_awkward_sizes(tmp_path: Path, shape: tuple[int, int], compression: str | None) -> None:
    pixels = picture(*shape)
    path = write_pyramid(tmp_path / "a.tif", [pixels], tile=(256, 256), compression=compression)
    assert_equals_openslide(path, direct=True)


@pytest.mark.parametrize("compression", ["jpeg", "lzw"])
def test_bigtiff(tmp_path: Path, compression: str) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True) as writer:
        for index, pixels in enumerate(PYRAMID):
            writer.write(pixels, tile=(256, 256), compression=compression, subfiletype=index, photometric="rgb")
    assert_equals_openslide(tmp_path / "a.tif", direct=True)


@pytest.mark.parametrize("compression", ["jpeg", "deflate", None])
def test_big_endian_files_equal_their_pages(tmp_path: Path, compression: str | None) -> None:
    """OpenSlide refuses those that tifffile writes; they are read without it."""
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=">") as writer:
        for index, pixels in enumerate(PYRAMID):
            writer.write(
                pixels, tile=(256, 256), compression=compression, subfiletype=index, photometric="rgb", metadata=None
            )
    assert_equals_pages(tmp_path / "a.tif")


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2)])
def test_jpeg_tables_shared_by_all_tiles(tmp_path: Path, subsampling: tuple[int, int]) -> None:
    assert_equals_openslide(write_shared_tables(tmp_path / "a.tif", FINE, subsampling), direct=True)


@pytest.mark.parametrize("tile", [(240, 240), (256, 256)])
@pytest.mark.parametrize("compression", [33003, 33005, "jpeg"], ids=["jp2k-ycbcr", "jp2k-rgb", "jpeg"])
def test_aperio_slides(tmp_path: Path, compression: Any, tile: tuple[int, int]) -> None:
    path = tmp_path / "a.svs"
    with tifffile.TiffWriter(path) as writer:
        for pixels in PYRAMID:
            writer.write(
                pixels, photometric="rgb", compression=compression, tile=tile, metadata=None,
                description=APERIO.format(769, 513),
            )  # fmt: skip
    assert_equals_openslide(path, direct=True)
    with open_source(path) as source:
        assert source.spacing is not None
        assert source.spacing.values == (0.499, 0.499)


@pytest.mark.parametrize("compression", ["jpeg", "deflate"])
@pytest.mark.parametrize("missing", [[(1, 5), ()], [(1, 5, 11), (1, 3)], [(4,), (1,)]])
@pytest.mark.parametrize("aperio", [False, True], ids=["tiff", "svs"])
def test_missing_tiles_are_what_openslide_makes_of_them(
    tmp_path: Path, aperio: bool, missing: list[tuple[int, ...]], compression: str
) -> None:
    """Glass in a plain TIFF. In an SVS, OpenSlide fills coarser levels from the finest."""
    big = picture(700, 1000)
    options = {"description": APERIO.format(1000, 700)} if aperio else {}
    path = write_sparse(
        tmp_path / ("a.svs" if aperio else "a.tif"),
        [big, shrunk(big, 350, 500)],
        missing,
        compression=compression,
        **options,
    )
    assert_equals_openslide(path)
    with open_source(path) as source:
        assert source.metadata["direct_levels"] == (1 if aperio else 2)


def test_a_page_that_only_openslide_cannot_read_is_read_without_it(tmp_path: Path) -> None:
    """libtiff refuses uncompressed tiles that are padded in the file, as tifffile writes them."""
    path = write_pyramid(tmp_path / "a.tif", PYRAMID, tile=(240, 240), compression=None)
    with openslide.OpenSlide(path) as slide, pytest.raises(openslide.OpenSlideError, match="Invalid tile byte count"):
        slide.read_region((0, 0), 0, slide.dimensions)
    assert_equals_pages(path)
