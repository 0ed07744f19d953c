"""TIFF slides against TIFF photographs."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from slide_cases import picture, write_pyramid

from napari_medpatch.geometry import Box
from napari_medpatch.io.detect import detect, open_source
from napari_medpatch.io.detect_tiff import detect_tiff

SMALL = picture(96, 128)


def test_tiled_files_go_to_openslide(tmp_path: Path) -> None:
    assert detect_tiff(write_pyramid(tmp_path / "a.tif", [SMALL])) == ("slide", "tiled TIFF", "openslide")


def test_a_small_page_in_strips_is_a_photograph(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [SMALL], tile=None)
    assert detect_tiff(path) == ("photo", "TIFF", "photo")


@pytest.mark.parametrize(("shape", "kind"), [((2, 8193), "slide"), ((8193, 2), "slide"), ((2, 8192), "photo")])
def test_long_sides_make_a_slide(tmp_path: Path, shape: tuple[int, int], kind: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), photometric="minisblack")
    assert detect_tiff(tmp_path / "a.tif")[0] == kind


@pytest.mark.parametrize(("metadata", "kind"), [({"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}, "slide"), ({}, "photo")])
def test_ome_files_with_a_size_are_slides(tmp_path: Path, metadata: dict[str, Any], kind: str) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, SMALL, photometric="rgb", metadata={"axes": "YXS", **metadata})
    assert detect_tiff(path)[:2] == (kind, "OME-TIFF")


def test_sixteen_bit_tiles_go_to_tifffile(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, SMALL[..., 0].astype(np.uint16) * 200, tile=(64, 64), photometric="minisblack")
    with closing(open_source(path)) as source:
        assert source.kind == "slide"
        assert source.levels[0].shape == (96, 128)


def test_big_tiff_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", SMALL, photometric="rgb", bigtiff=True)
    assert detect_tiff(tmp_path / "a.tif") == ("photo", "BigTIFF", "photo")


def test_turned_files_are_kept_from_openslide(real_data: Path) -> None:
    assert detect(real_data / "odd/tiff/test_orient6.tif").reader == "tifffile"
    assert detect(real_data / "odd/tiff/test_orient1.tif").reader == "openslide"


@pytest.mark.parametrize(("kind", "reader"), [("slide", "tifffile"), ("photo", "photo"), (None, "photo")])
def test_the_user_may_say_what_a_plain_tiff_is(tmp_path: Path, kind: Any, reader: str) -> None:
    path = write_pyramid(tmp_path / "a.tif", [SMALL], tile=None)
    found = detect(path, kind=kind)
    assert found.reader == reader
    with closing(open_source(path, kind=kind)) as source:
        assert source.kind == (kind or "photo")
        np.testing.assert_array_equal(source.read(0, Box.whole((96, 128))), SMALL)


@pytest.mark.parametrize(("kind", "reader"), [("slide", "openslide"), ("photo", "photo")])
def test_the_user_may_say_what_a_tiled_tiff_is(tmp_path: Path, kind: Any, reader: str) -> None:
    path = write_pyramid(tmp_path / "a.tif", [SMALL])
    assert detect(path, kind=kind).reader == reader
