"""Slides that OpenSlide opens: pixels, geometry, pixel size."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from oracle_cases import random_boxes
from slide_cases import overwrite, picture, shrunk, tile_range, write_pyramid

from napari_medpatch.errors import DamagedFileError, GeometryError, MedPatchError, UnsupportedFormatError
from napari_medpatch.geometry import Box
from napari_medpatch.io.slide import OpenSlideSource, _stated_size

FINE = picture(620, 850)
REAL_TIFFS = [
    "wsi/boxes.tiff",
    "wsi/derived_CMU-1-Small-Region_pyramid.tiff",
    "wsi/derived_mosaic_ucsb_dev.tiff",
    "odd/tiff/valid_tiff_grey_2levels.tif",
]


@pytest.mark.parametrize("name", REAL_TIFFS)
def test_stored_levels_are_the_files_pages_bit_for_bit(real_data: Path, name: str) -> None:
    path = real_data / name
    with OpenSlideSource(path) as source, tifffile.TiffFile(path) as tif:
        stored = [index for index, made in enumerate(source.synthetic) if not made]
        assert source.metadata["direct_levels"] == len(stored) == len(tif.series[0].levels)
        for index, level in zip(stored, tif.series[0].levels, strict=True):
            np.testing.assert_array_equal(source.read(index, Box.whole(source.levels[index].shape)), level.asarray())


@pytest.mark.parametrize("name", ["wsi/CMU-1-Small-Region.svs", "wsi/derived_mosaic_ucsb_dev.tiff"])
def test_direct_decoding_equals_openslide_on_every_level(real_data: Path, name: str) -> None:
    with OpenSlideSource(real_data / name) as direct, OpenSlideSource(real_data / name, direct=False) as plain:
        assert direct.metadata["direct_levels"] > 0 == plain.metadata["direct_levels"]
        for level in range(len(direct.levels)):
            for box in random_boxes(direct.levels[level].shape, 6):
                np.testing.assert_array_equal(direct.read(level, box), plain.read(level, box))


def test_every_file_and_the_folder_of_a_dicom_slide_are_the_same_slide(real_data: Path) -> None:
    folder = real_data / "wsi/CMU-1-Small-Region_dicom"
    box = Box((1000, 1000), (1100, 1100))
    pixels = []
    for path in (folder, *sorted(folder.iterdir())):
        with OpenSlideSource(path) as source:
            assert source.format == "DICOM WSI"
            assert source.levels[0].shape == (2967, 2220)
            assert source.metadata["associated_images"] == ["label", "macro", "thumbnail"]
            pixels.append(source.read(0, box))
    assert all(np.array_equal(pixels[0], other) for other in pixels[1:])


def test_pixel_size_and_facts_of_the_real_svs(real_data: Path) -> None:
    with OpenSlideSource(real_data / "wsi/CMU-1-Small-Region.svs") as source:
        assert source.spacing is not None
        assert (source.spacing.values, source.spacing.origin) == ((0.499, 0.499), "openslide.mpp-x/-y")
        assert source.format == "Aperio SVS"
        assert source.metadata["objective_power"] == 20
        assert source.associated()["macro"]().shape == (431, 1280, 3)


@pytest.mark.parametrize("mpp", [0.25, (0.5, 0.25)])
def test_the_users_size_wins(tmp_path: Path, mpp: Any) -> None:
    with OpenSlideSource(write_pyramid(tmp_path / "a.tif", [FINE]), mpp=mpp) as source:
        assert source.spacing is not None
        assert source.spacing.origin == "user"
        assert source.spacing.values == ((0.25, 0.25) if mpp == 0.25 else mpp)


def test_an_impossible_size_of_the_user_is_refused_and_the_file_let_go(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="not positive"):
        OpenSlideSource(write_pyramid(tmp_path / "a.tif", [FINE]), mpp=0)


def test_tags_give_x_and_y_apart(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE], resolution=(40000, 20000))
    with OpenSlideSource(path) as source:
        assert source.spacing is not None
        assert source.spacing.values == pytest.approx((0.5, 0.25))
        assert source.spacing.origin == "TIFF resolution"


@pytest.mark.parametrize("unit", ["NONE", "INCH"])
def test_screen_resolution_is_not_a_pixel_size(tmp_path: Path, unit: str) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE], resolution=(96, 96), resolutionunit=unit)
    with OpenSlideSource(path) as source:
        assert source.spacing is None
        assert source.metadata["spacing_note"]


def test_objective_power_is_not_a_pixel_size() -> None:
    size = _stated_size({"openslide.objective-power": "40"}, "aperio")
    assert size.spacing is None
    assert "only the objective, 40×" in size.note
    assert _stated_size({"openslide.mpp-x": "0.25", "openslide.mpp-y": "x"}, "aperio").spacing is None


@pytest.mark.parametrize(("vendor", "believed"), [("aperio", False), ("dicom", True)])
def test_sizes_of_a_tenth_of_a_millimetre_are_believed_of_dicom_only(vendor: str, believed: bool) -> None:
    size = _stated_size({"openslide.mpp-x": "124.2", "openslide.mpp-y": "124.2"}, vendor)
    assert (size.spacing is not None) == believed


def test_odd_sizes_and_steps_of_four(tmp_path: Path) -> None:
    big = picture(1301, 2207)
    path = write_pyramid(tmp_path / "a.tif", [big, shrunk(big, 325, 551)], compression="jpeg", tile=(240, 240))
    with OpenSlideSource(path) as source:
        assert source.synthetic == (False, True, False)
        assert source.levels[2].downsample == (1301 / 325, 2207 / 551)
        assert source.tile_shape(0) == (480, 480)


def test_reads_beyond_the_edge_are_background(tmp_path: Path) -> None:
    with OpenSlideSource(write_pyramid(tmp_path / "a.tif", [FINE])) as source:
        pixels = source.read(0, Box((-5, 840), (5, 870)))
        assert (pixels[:5] == 255).all()
        assert (pixels[:, 10:] == 255).all()
        np.testing.assert_array_equal(pixels[5:, :10], FINE[:5, 840:])


@pytest.mark.parametrize("direct", [True, False])
def test_a_damaged_tile_is_named_and_the_rest_is_read(tmp_path: Path, direct: bool) -> None:
    path = write_pyramid(tmp_path / "bad.tif", [FINE], compression="jpeg", tile=(256, 256))
    offset, count = tile_range(path, 0, 3)
    overwrite(path, offset, b"\0" * count)
    with OpenSlideSource(path, direct=direct) as source:
        with pytest.raises(DamagedFileError, match=r"bad\.tif is damaged.* rows 0–255, columns 768–849"):
            source.read(0, Box((0, 700), (100, 850)))
        assert source.read(0, Box((0, 0), (100, 700))).std() > 10


def test_a_slide_without_one_readable_tile_is_refused(real_data: Path) -> None:
    with pytest.raises(DamagedFileError, match="Bogus marker length"):
        OpenSlideSource(real_data / "odd/tiff/unreadable.svs")


def test_turned_tiffs_are_left_to_the_other_reader(real_data: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match="orientation tag"):
        OpenSlideSource(real_data / "odd/tiff/test_orient6.tif")


def test_closed_slides_do_not_read(tmp_path: Path) -> None:
    source = OpenSlideSource(write_pyramid(tmp_path / "a.tif", [FINE]))
    source.close()
    with pytest.raises(MedPatchError, match="was closed"):
        source.read(0, Box((0, 0), (5, 5)))


@pytest.mark.parametrize("name", ["wsi/boxes.tiff", "wsi/derived_CMU-1-Small-Region_pyramid.tiff"])
def test_far_corners_of_truncated_real_levels_are_less_than_a_level_pixel_off(real_data: Path, name: str) -> None:
    """Writers drop the remainder of a division; what that costs stays below one pixel of the level."""
    with OpenSlideSource(real_data / name) as source:
        stored = [level for level, made in zip(source.levels, source.synthetic, strict=True) if not made]
        assert len(stored) > 1
        for level in stored:
            for n0, n, down in zip(source.levels[0].shape, level.shape, level.downsample, strict=True):
                true = round(down)
                assert abs((n - 1) * down - (n - 1) * true) < true
                assert abs(n * down - n0) < 1e-9 * n0
