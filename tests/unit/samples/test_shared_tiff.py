"""TIFF files whose tiles share bytes."""

from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

from napari_medpatch.samples.shared_tiff import SharedLevel, write_shared_tiff


def flat(value: int) -> bytes:
    return imagecodecs.jpeg_encode(np.full((32, 32, 3), value, np.uint8), subsampling="420")


def test_tiles_lie_where_their_numbers_say_and_are_stored_once(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 0], [1, 1, 0]])
    fine = SharedLevel((50, 90), ids, (flat(40), flat(200)), 0.25)
    coarse = SharedLevel((12, 22), np.array([[0]]), (flat(120),), 1.0)
    write_shared_tiff(tmp_path / "s.tif", [fine, coarse], 32, "two pages")
    with tifffile.TiffFile(tmp_path / "s.tif") as tif:
        assert tif.is_bigtiff
        assert len(tif.pages) == 2
        first, second = (page.asarray() for page in tif.pages)
        assert len(set(tif.pages[0].dataoffsets)) == 2
        assert tif.pages[0].description == "two pages"
        assert [page.tags.valueof(254) for page in tif.pages] == [0, 1]
        assert tif.pages[1].tags.valueof(282)[0] / tif.pages[1].tags.valueof(282)[1] == 10_000
    assert first.shape == (50, 90, 3)
    assert second.shape == (12, 22, 3)
    for row in range(50):
        assert abs(first[row, 16::32, 0].astype(int) - np.where(ids[row // 32], 200, 40)).max() <= 1
    assert abs(second.astype(int) - 120).max() <= 1
