"""Which page of a TIFF is the picture, and which are smaller copies of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from slide_cases import picture, shrunk, write_pyramid

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.tiff_levels import TiffPicture, find_picture, orientation, tiled_pages

FINE = picture(200, 260)


def found(path: Path) -> TiffPicture:
    with tifffile.TiffFile(path) as tif:
        return find_picture(tif, path)


def shapes(found: TiffPicture) -> list[tuple[int, int]]:
    return [(page.imagelength, page.imagewidth) for page in found.pages]


@pytest.mark.parametrize("sizes", [[(100, 130), (50, 65)], [(50, 65), (12, 16)], [(25, 32)], [(66, 86), (7, 9)]])
def test_pages_of_falling_size_are_a_pyramid_whatever_the_steps(tmp_path: Path, sizes: list[tuple[int, int]]) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE, *(shrunk(FINE, *size) for size in sizes)])
    assert shapes(found(path)) == [(200, 260), *sizes]


def test_the_largest_page_comes_first_wherever_it_is(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [shrunk(FINE, 100, 130), FINE])
    assert shapes(found(path)) == [(200, 260), (100, 130)]


def test_pages_of_another_aspect_or_kind_are_no_levels(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(FINE, photometric="rgb", tile=(64, 64), metadata=None)
        writer.write(picture(100, 200), photometric="rgb", metadata=None)
        writer.write(shrunk(FINE, 100, 130)[..., 0], photometric="minisblack", metadata=None)
    assert shapes(found(path)) == [(200, 260)]


def test_sub_ifds_of_ome_are_levels(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(FINE, photometric="rgb", tile=(64, 64), subifds=2)
        for size in ((100, 130), (50, 65)):
            writer.write(shrunk(FINE, *size), photometric="rgb", tile=(64, 64), subfiletype=1)
    assert shapes(found(path)) == [(200, 260), (100, 130), (50, 65)]


def test_label_and_macro_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(picture(300, 400), photometric="rgb", metadata={"Name": "macro image"})
        writer.write(FINE, photometric="rgb", tile=(64, 64), metadata={"Name": "slide"})
    result = found(path)
    assert shapes(result) == [(200, 260)]
    assert result.image_index == 1
    assert list(result.beside) == ["macro"]


def stack(path: Path, array: np.ndarray, axes: str, **options: Any) -> Path:
    tifffile.imwrite(path, array, ome=True, metadata={"axes": axes}, **options)
    return path


def test_channels_are_refused(tmp_path: Path) -> None:
    path = stack(tmp_path / "a.ome.tif", np.zeros((4, 3, 40, 50), np.uint8), "ZCYX", photometric="minisblack")
    with pytest.raises(UnsupportedFormatError, match=r"multi-channel picture \(4 focus planes × 3 channels\)"):
        found(path)


def test_grey_stacks_are_refused(tmp_path: Path) -> None:
    path = stack(tmp_path / "a.ome.tif", np.zeros((7, 40, 50), np.uint8), "ZYX", photometric="minisblack")
    with pytest.raises(UnsupportedFormatError, match=r"stack of grey pictures \(7 focus planes\)"):
        found(path)


def test_of_colour_focus_planes_the_first_is_shown(tmp_path: Path) -> None:
    planes = np.stack([picture(40, 50, seed) for seed in range(3)])
    path = stack(tmp_path / "a.ome.tif", planes, "ZYXS", photometric="rgb")
    with tifffile.TiffFile(path) as tif:
        result = find_picture(tif, path)
        np.testing.assert_array_equal(result.pages[0].asarray(), planes[0])
    assert result.note == "The file holds 3 focus planes; the first is shown."


def test_tiled_pages_are_found_by_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(FINE, photometric="rgb", tile=(64, 64), metadata=None)
        writer.write(FINE, photometric="rgb", tile=(32, 32), metadata=None)
        writer.write(shrunk(FINE, 50, 65), photometric="rgb", metadata=None)
    with tifffile.TiffFile(path) as tif:
        pages = tiled_pages(tif)
        assert list(pages) == [(200, 260)]
        assert pages[(200, 260)].tilewidth == 64


@pytest.mark.parametrize("code", [1, 6])
def test_the_orientation_tag_is_read(tmp_path: Path, code: int) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, FINE, photometric="rgb", extratags=[(274, 3, 1, code, True)])
    with tifffile.TiffFile(path) as tif:
        assert orientation(tif.pages.first) == code
