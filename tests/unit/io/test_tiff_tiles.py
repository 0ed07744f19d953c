"""Slides in TIFF files that OpenSlide refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from slide_cases import overwrite, picture, shrunk, tile_range, write_pyramid

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.geometry import Box
from napari_medpatch.io.pyramid import halve
from napari_medpatch.io.tiff_tiles import TiffSource

FINE = picture(500, 700)


def ome_pyramid(path: Path, **metadata: Any) -> Path:
    """Write an OME-TIFF with two sub-resolutions."""
    options: dict[str, Any] = {"photometric": "rgb", "tile": (128, 128), "compression": "jpeg"}
    with tifffile.TiffWriter(path) as writer:
        writer.write(FINE, subifds=2, metadata={"axes": "YXS", **metadata}, **options)
        for size in ((250, 350), (125, 175)):
            writer.write(shrunk(FINE, *size), subfiletype=1, **options)
    return path


def test_an_ome_pyramid_has_its_levels_and_its_size(tmp_path: Path) -> None:
    path = ome_pyramid(tmp_path / "a.ome.tif", PhysicalSizeX=0.25, PhysicalSizeY=0.5)
    with TiffSource(path) as source, tifffile.TiffFile(path) as tif:
        assert source.format == "OME-TIFF"
        assert source.spacing is not None
        assert (source.spacing.values, source.spacing.origin) == ((0.5, 0.25), "OME PhysicalSizeX/Y")
        assert [level.shape for level in source.levels] == [(500, 700), (250, 350), (125, 175)]
        for index, level in enumerate(tif.series[0].levels):
            np.testing.assert_array_equal(source.read(index, Box.whole(level.shape[:2])), level.asarray())


def test_the_users_size_wins(tmp_path: Path) -> None:
    with TiffSource(ome_pyramid(tmp_path / "a.ome.tif", PhysicalSizeX=0.25, PhysicalSizeY=0.5), mpp=(1, 2)) as source:
        assert source.spacing is not None
        assert (source.spacing.values, source.spacing.origin) == ((1.0, 2.0), "user")


def test_reads_beyond_the_edge_are_white(tmp_path: Path) -> None:
    with TiffSource(write_pyramid(tmp_path / "a.tif", [FINE], tile=None, rowsperstrip=9)) as source:
        pixels = source.read(0, Box((480, 690), (510, 720)))
        np.testing.assert_array_equal(pixels[:20, :10], FINE[480:, 690:])
        assert (pixels[20:] == 255).all()
        assert (pixels[:, 10:] == 255).all()


def test_strips_get_synthetic_levels(tmp_path: Path) -> None:
    big = picture(300, 2100)
    with TiffSource(write_pyramid(tmp_path / "a.tif", [big], tile=None, rowsperstrip=9, compression="lzw")) as source:
        assert source.synthetic == (False, True, True)
        np.testing.assert_array_equal(source.read(1, Box((7, 11), (140, 1050))), halve(big)[7:140, 11:1050])
        assert source.levels[1].downsample == (2.0, 2.0)


@pytest.mark.parametrize(("top", "bits"), [(255, 8), (1023, 10), (4000, 12), (65535, 16)])
def test_deep_grey_uses_the_bits_that_the_file_uses(tmp_path: Path, top: int, bits: int) -> None:
    deep = np.linspace(0, top, 300 * 400).astype(np.uint16).reshape(300, 400)
    path = write_pyramid(tmp_path / "a.tif", [deep], photometric="minisblack", compression="deflate")
    with TiffSource(path) as source:
        pixels = source.read(0, Box((0, 0), (300, 400)))
        np.testing.assert_array_equal(pixels[..., 2], np.rint(deep * (255 / ((1 << bits) - 1))))
        assert bool(source.metadata["notes"]) == (bits > 8)


def test_the_bits_are_the_same_on_all_levels(tmp_path: Path) -> None:
    deep = np.full((400, 400), 3000, np.uint16)
    deep[:5, :5] = 0
    path = write_pyramid(tmp_path / "a.tif", [deep, deep[::2, ::2]], photometric="minisblack")
    with TiffSource(path) as source:
        colours = [int(source.read(level, Box((100, 100), (101, 101)))[0, 0, 0]) for level in (0, 1)]
        assert colours == [187, 187]


def test_a_turned_picture_is_shown_as_stored_on_all_levels(real_data: Path) -> None:
    upright, turned = (TiffSource(real_data / f"odd/tiff/test_orient{code}.tif") for code in (1, 6))
    with upright, turned:
        assert len(turned.levels) == 3
        for index, level in enumerate(turned.levels):
            box = Box.whole(level.shape)
            assert np.abs(turned.read(index, box).astype(int) - upright.read(index, box)).mean() < 2
        assert "orientation tag (6)" in turned.metadata["notes"][0]
        assert upright.metadata["notes"] == []


def test_the_real_ome_slide_opens(real_data: Path) -> None:
    path = real_data / "wsi/instanseg_HE_example.ome.tif"
    with TiffSource(path) as source:
        assert source.spacing is not None
        assert source.spacing.mean == pytest.approx(0.50008, abs=1e-5)
        np.testing.assert_array_equal(source.read(0, Box.whole((1484, 1380))), tifffile.imread(path))
        assert source.levels[-1].shape == (742, 690)


def test_a_picture_of_50_megapixels_in_strips_opens_without_reading_it(real_data: Path) -> None:
    with TiffSource(real_data / "odd/tiff/grey10kx5k.tif") as source:
        assert source.levels[0].shape == (5000, 10000)
        assert max(source.levels[-1].shape) <= 1024
        assert source.spacing is None
        assert "72 dpi" in source.metadata["spacing_note"]
        assert source.read(len(source.levels) - 1, Box.whole(source.levels[-1].shape)).shape == (313, 625, 3)


def test_label_and_macro_are_offered(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    macro = picture(90, 120, seed=3)
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(FINE, photometric="rgb", tile=(64, 64), metadata={"Name": "slide"})
        writer.write(macro, photometric="rgb", metadata={"Name": "macro"})
    with TiffSource(path) as source:
        assert source.metadata["associated_images"] == ["macro"]
        np.testing.assert_array_equal(source.associated()["macro"](), macro)


def test_a_ruined_first_tile_is_refused_at_once(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE], tile=(512, 768), compression="jpeg")
    overwrite(path, tile_range(path, 0, 0)[0], b"\0" * 100)
    with pytest.raises(DamagedFileError, match=r"a\.tif is damaged"):
        TiffSource(path)


def test_stacks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((7, 40, 50), np.uint8), metadata={"axes": "ZYX"}, photometric="minisblack")
    with pytest.raises(UnsupportedFormatError, match="stack of grey"):
        TiffSource(path)
