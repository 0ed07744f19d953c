"""Opening TIFF files: errors as sentences, silence otherwise."""

import logging
from pathlib import Path

import pytest
from slide_cases import picture, write_pyramid

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.tiff_file import open_tiff


def test_it_opens_and_closes(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [picture(50, 60)])
    with open_tiff(path) as tif:
        assert tif.pages.first.shape == (50, 60, 3)
    assert tif.filehandle.closed


@pytest.mark.parametrize("kept", [8, 100, 0.6, 0.95])
def test_cut_files_are_damaged_and_nothing_is_logged(
    tmp_path: Path, kept: float, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_pyramid(tmp_path / "cut.tif", [picture(150, 160), picture(50, 60)])
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with caplog.at_level(logging.DEBUG), pytest.raises(DamagedFileError, match=r"cut\.tif"), open_tiff(path) as tif:
        [page.asarray() for page in tif.pages]
    assert not [record for record in caplog.records if record.name == "tifffile"]
    assert capfd.readouterr().err == ""


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"none\.tif does not exist"), open_tiff(tmp_path / "none.tif"):
        pytest.fail("opened")


def test_other_users_of_tifffile_still_get_its_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_tiff(write_pyramid(tmp_path / "a.tif", [picture(50, 60)])):
        logging.getLogger("tifffile").warning("inside")
    logging.getLogger("tifffile").warning("outside")
    assert [record.message for record in caplog.records] == ["outside"]
