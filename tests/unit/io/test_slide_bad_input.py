"""Slides with senseless pixel sizes, cut tiles, or that go away: one sentence each, and the rest goes on."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from oracle_cases import APERIO
from slide_cases import picture, tile_range, write_pyramid

from napari_medpatch.errors import DamagedFileError, GeometryError
from napari_medpatch.geometry import Box
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.pixel_size import why_unknown
from napari_medpatch.io.slide import OpenSlideSource
from napari_medpatch.io.tiff_pages import FileBytes
from napari_medpatch.io.tiff_tiles import TiffSource

FINE = picture(600, 700)


def aperio(path: Path, mpp: str | None) -> Path:
    """Write an SVS that states a pixel size."""
    description = APERIO.format(700, 600).replace("|MPP = 0.4990", "" if mpp is None else f"|MPP = {mpp}")
    tifffile.imwrite(
        path, FINE, photometric="rgb", compression="jpeg", tile=(256, 256), metadata=None, description=description
    )
    return path


@pytest.mark.parametrize(
    ("mpp", "reason"),
    [
        (None, "a.svs does not say how large its pixels are"),
        ("0", "which is impossible"),
        ("-0.25", "which is impossible"),
        ("1e6", "1e+06 × 1e+06 µm per pixel, which is not plausible and not used"),
        ("1e-6", "1e-06 × 1e-06 µm per pixel, too fine to be true and not used"),
        ("nan", "aperio.MPP says 'nan' µm per pixel, which is no number"),
        ("about a half", "aperio.MPP says 'about a half' µm per pixel, which is no number"),
    ],
)
def test_a_missing_or_absurd_size_in_an_svs_is_unknown_with_a_reason(
    tmp_path: Path, mpp: str | None, reason: str
) -> None:
    with open_source(aperio(tmp_path / "a.svs", mpp)) as source:
        assert source.spacing is None
        assert reason in why_unknown(source)
        assert "a.svs" in why_unknown(source)
    with open_source(tmp_path / "a.svs", mpp=0.5) as source:
        assert source.spacing is not None
        assert source.spacing.origin == "user"


@pytest.mark.parametrize(
    ("per_cm", "known"), [((0, 1), False), ((1, 100), False), ((10**9, 1), False), ((20000, 1), True)]
)
def test_absurd_resolution_tags_are_not_used(tmp_path: Path, per_cm: tuple[int, int], known: bool) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE], compression="jpeg", resolution=(per_cm, per_cm))
    with open_source(path) as source:
        assert (source.spacing is not None) == known
        assert known or source.metadata["spacing_note"]


@pytest.mark.parametrize("mpp", [0, -0.25, float("nan"), float("inf"), 1e6, 1e-6, (0.25, 0)])
def test_an_absurd_size_of_the_user_is_refused(tmp_path: Path, mpp: Any) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE], compression="jpeg")
    with pytest.raises(GeometryError, match=r"is not positive; give the real one|none of a microscope slide; give"):
        open_source(path, mpp=mpp)


@pytest.mark.parametrize("reader", [OpenSlideSource, TiffSource])
def test_a_tile_whose_bytes_are_cut_is_named_and_the_others_are_read(tmp_path: Path, reader: Any) -> None:
    """The decoder itself would fill up with grey and keep quiet."""
    path = write_pyramid(tmp_path / "cut.tif", [FINE], compression="jpeg", tile=(256, 256))
    with tifffile.TiffFile(path, mode="r+b") as tif:
        counts = list(tif.pages.first.databytecounts)
        counts[4] //= 2
        tif.pages.first.tags[325].overwrite(counts)
    with reader(path) as source:
        with pytest.raises(DamagedFileError, match=r"cut\.tif is damaged .*rows 256–511, columns 256–511"):
            source.read(0, Box((300, 300), (310, 310)))
        assert source.read(0, Box((0, 0), (256, 700))).std() > 10
        seen = source.peek(0, Box((0, 0), (600, 700)))
        assert (seen[256:512, 256:512] == 255).all()
        assert seen[:256].std() > 10


@pytest.mark.parametrize("reader", [OpenSlideSource, TiffSource])
def test_a_file_that_is_cut_while_it_is_open(tmp_path: Path, reader: Any) -> None:
    path = write_pyramid(tmp_path / "cut.tif", [FINE], compression="jpeg", tile=(256, 256))
    offset, _ = tile_range(path, 0, 8)
    with reader(path) as source:
        before = source.read(0, Box((0, 0), (200, 200)))
        os.truncate(path, offset + 10)
        with pytest.raises(DamagedFileError, match=r"cut\.tif (is damaged|cannot be read)"):
            source.read(0, Box((550, 600), (560, 610)))
        np.testing.assert_array_equal(source.read(0, Box((0, 0), (200, 200))), before)


@pytest.mark.parametrize("reader", [OpenSlideSource, TiffSource])
def test_a_slide_that_vanishes_with_its_drive_is_a_sentence(
    tmp_path: Path, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE], compression="jpeg", tile=(256, 256))
    with reader(path) as source:
        path.unlink()
        monkeypatch.setattr(FileBytes, "read", _stale)
        if reader is OpenSlideSource:
            monkeypatch.setattr("openslide.OpenSlide.read_region", _openslide_stale)
        with pytest.raises(DamagedFileError, match=r"a\.tif is no longer there; put it back and open it again"):
            source.read(0, Box((550, 600), (560, 610)))
        assert (source.peek(0, Box((0, 0), (600, 700))) == 255).all()
        assert source.damage is not None


def _stale(*_: Any) -> bytes:
    raise OSError(errno.ESTALE, "Stale file handle")


def _openslide_stale(*_: Any) -> None:
    import openslide

    raise openslide.OpenSlideError("Stale file handle")


def test_a_deleted_slide_is_still_read_through_its_open_file(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [FINE], compression="jpeg", tile=(256, 256))
    with open_source(path) as source:
        path.unlink()
        assert source.read(0, Box((300, 300), (560, 610))).std() > 10
    with pytest.raises(Exception, match=r"a\.tif does not exist; check the path"):
        open_source(path)
