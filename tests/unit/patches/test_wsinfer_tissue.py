"""WSInfer's tissue segmentation, held to what WSInfer's own code gave (OpenCV 5.0, Shapely 2.2, scikit-image 0.26)."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from wsinfer_picture import centres, picture

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.patches.outline import inside_outline
from napari_medpatch.patches.tissue import TissueMask
from napari_medpatch.patches.wsinfer_tissue import wsinfer_mask, wsinfer_steps


def _sum(mask: np.ndarray) -> str:
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16]


def test_the_picture_is_the_one_that_wsinfer_saw() -> None:
    assert hashlib.sha256(picture().tobytes()).hexdigest()[:16] == "028c89f1167754c3"


def test_the_mask_is_wsinfers() -> None:
    mask = wsinfer_mask(picture(), 200, 120)
    assert (int(mask.sum()), _sum(mask)) == (28078, "1531c522bd8f59f1")


@pytest.mark.parametrize(("scale", "expected"), [(1.0, (95, "4e7184272d4e98a6")), (3.5, (1256, "b0c48247256de9ff"))])
def test_the_patches_are_wsinfers(scale, expected) -> None:
    tissue = TissueMask(wsinfer_mask(picture(), 200, 120), (scale, scale), outlined=True)
    inside = tissue.contains(centres(scale)[:, ::-1])
    assert (int(inside.sum()), _sum(inside)) == expected


def test_outlines_run_through_the_centres_of_pixels() -> None:
    mask = np.zeros((6, 6), bool)
    mask[1:4, 1:4] = True
    mask[1, 1] = False
    places = np.array([[2.5, 2.5], [2.0, 2.0], [1.0, 2.0], [1.7, 1.7], [1.2, 1.2], [3.1, 2.0], [2.0, 2.9]])
    assert inside_outline(mask, places).tolist() == [True, True, False, True, False, False, True]


@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "derived_mosaic_ucsb_dev.tiff"])
def test_the_thumbnail_is_openslides(real_data: Path, name: str) -> None:
    from openslide import OpenSlide

    with OpenSlide(real_data / "wsi" / name) as slide:
        thumbnail = np.asarray(slide.get_thumbnail((2048, 2048)).convert("RGB"))
    source = open_source(real_data / "wsi" / name)
    *_, tissue = wsinfer_steps(source)
    shape, mpp = source.levels[0].shape, source.spacing.mean
    source.close()
    assert tissue.mask.shape == thumbnail.shape[:2]
    assert tissue.downsample == pytest.approx([n / t for n, t in zip(shape, thumbnail.shape[:2], strict=True)])
    pixel = (mpp * sum(tissue.downsample) / 2) ** 2
    assert np.array_equal(tissue.mask, wsinfer_mask(thumbnail, round(200**2 / pixel), round(190**2 / pixel)))


def test_slides_without_pixel_size_use_areas_in_pixels() -> None:
    rgb = np.full((300, 300, 3), 240, np.uint8)
    rgb[50:80, 50:80] = rgb[150:170, 150:170] = (200, 100, 190)
    *_, tissue = wsinfer_steps(ArraySource(rgb, "slide", None))
    assert tissue.mask[65, 65]
    assert not tissue.mask[160, 160]  # 20 × 20 < 512 pixels
