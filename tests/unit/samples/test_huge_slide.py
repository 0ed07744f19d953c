"""Huge simulated slides: small files, true pyramids, known tissue."""

import itertools
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

from napari_medpatch.errors import GeometryError
from napari_medpatch.geometry import Box
from napari_medpatch.io.slide import OpenSlideSource
from napari_medpatch.samples.huge_slide import make_huge_slide


def saturated(pixels: np.ndarray) -> np.ndarray:
    """Tell tissue from glass, which is grey."""
    return np.ptp(pixels.astype(int), axis=-1) > 15


def test_a_slide_of_100000_pixels_is_a_small_file_that_openslide_reads(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    slide = make_huge_slide(path)
    assert path.stat().st_size < 20e6
    with openslide.OpenSlide(path) as handle:
        assert handle.level_dimensions[0] == (100_000, 80_000) == slide.size[::-1]
        assert len(handle.level_dimensions) == 4
        far = np.asarray(handle.read_region((99_900, 79_900), 0, (100, 100)))
    assert far[..., 3].min() == 255
    with OpenSlideSource(path) as source:
        assert source.spacing is not None
        assert source.spacing.values == (0.25, 0.25)
        assert source.metadata["direct_levels"] == 4


def test_every_level_is_the_mean_of_the_finer_one(tmp_path: Path) -> None:
    make_huge_slide(tmp_path / "s.tif", (3000, 4100), factor=2, levels=4, mpp=0.5, quality=98)
    with tifffile.TiffFile(tmp_path / "s.tif") as tif:
        pages = [page.asarray().astype(float) for page in tif.pages]
    assert [page.shape[:2] for page in pages] == [(3000, 4100), (1500, 2050), (750, 1025), (375, 512)]
    for fine, coarse in itertools.pairwise(pages):
        rows, columns = coarse.shape[:2]
        mean = fine[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, 3).mean((1, 3))
        assert abs(mean - coarse).mean() < 1.5


@pytest.mark.parametrize("tissue", ["islands", "block"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_the_share_of_tissue_is_what_was_asked_for(tmp_path: Path, tissue: str, share: float) -> None:
    slide = make_huge_slide(tmp_path / "s.tif", (10_000, 8000), mpp=0.5, tissue=tissue, tissue_share=share, tile=128)
    assert slide.tissue_share == pytest.approx(share, abs=0.05)
    with OpenSlideSource(tmp_path / "s.tif") as source:
        whole = source.read(len(source.levels) - 1, Box.whole(source.levels[-1].shape))
    assert saturated(whole).mean() == pytest.approx(slide.tissue_share, abs=0.08)


def test_the_map_of_tissue_says_where_it_is(tmp_path: Path) -> None:
    slide = make_huge_slide(tmp_path / "s.tif", (8000, 10_000), mpp=0.5, seed=4)
    assert set(np.unique(slide.cover)) >= {0, 1}
    with OpenSlideSource(tmp_path / "s.tif") as source:
        for row, column in np.argwhere(slide.cover == 1)[::60]:
            box = Box((row * 256, column * 256), (row * 256 + 256, column * 256 + 256))
            assert saturated(source.read(0, box)).mean() > 0.5
        for row, column in np.argwhere(slide.cover == 0)[::150]:
            box = Box((row * 256, column * 256), (row * 256 + 256, column * 256 + 256)).clip(slide.size)
            assert not saturated(source.read(0, box)).any()


def test_the_same_seed_gives_the_same_file_and_a_flat_one_is_possible(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        flat = make_huge_slide(tmp_path / name, (2000, 3000), mpp=2, levels=1, seed=7)
    make_huge_slide(tmp_path / "c.tif", (2000, 3000), mpp=2, levels=1, seed=8)
    assert len(flat.different) == 1
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert (tmp_path / "a.tif").read_bytes() != (tmp_path / "c.tif").read_bytes()


@pytest.mark.parametrize("wrong", [{"tissue_share": 1.2}, {"mpp": 0.0}, {"factor": 3}, {"tile": 100}, {"size": (0, 9)}])
def test_impossible_slides_are_refused_in_a_sentence(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(GeometryError, match="impossible"):
        make_huge_slide(tmp_path / "s.tif", **({"size": (999, 999)} | wrong))
    assert not list(tmp_path.iterdir())
