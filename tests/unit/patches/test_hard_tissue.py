"""How well tissue is found where that is hard: overlap with the truth of simulated slides.

What was measured over seeds 0 to 2: 0.95 to 0.99 on average for each case; the lowest single values are 0.91 (dark
red ink across tissue) and 0.94 (pale IHC). Before red ink was known, its cases had 0.77 to 0.90.
Not told from tissue, because haematoxylin and eosin have these colours: violet ink on some stains, and pink ink.
"""

import numpy as np
import pytest
from scipy import ndimage
from tissue_cases import CASES, MPP, PENS, Scene, line, ring, stained

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.patches.pen import unevenness
from napari_medpatch.patches.tissue import TissueMask, tissue_mask

EASY = [name for name in CASES if " pen " not in name]
PLACES = ("beside", "around", "across", "within")
INKED = [f"{pen} pen {place}" for pen in ("red", "blue", "green", "black") for place in PLACES]
INKED += ["bright red pen around", "dark red pen beside", "orange pen across"]


def find(scene: Scene) -> np.ndarray:
    return tissue_mask(ArraySource(scene.rgb, "slide", (MPP, MPP))).mask


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    """Return intersection over union."""
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize("name", EASY)
def test_tissue_is_found(name: str) -> None:
    scene = CASES[name](1).finished(1)
    assert overlap(find(scene), scene.truth) > 0.93


@pytest.mark.parametrize("name", INKED)
def test_ink_is_left_out_and_the_rest_stays(name: str) -> None:
    scene = CASES[name](1).finished(1)
    found = find(scene)
    assert overlap(found, scene.truth) > 0.93
    ink = ndimage.binary_erosion(stained(1).truth & ~scene.truth, iterations=4)
    assert not ink.any() or found[ink].mean() < 0.1


def test_specks_and_holes_go_by_their_area_in_um2() -> None:
    y, x = np.mgrid[:500, :500]
    rgb = np.full((500, 500, 3), 243, np.uint8)
    piece = np.hypot(y - 250, x - 250) < 150
    hole, cavity = np.hypot(y - 200, x - 200) < 18, np.hypot(y - 300, x - 300) < 40
    speck, crumb = np.hypot(y - 40, x - 40) < 10, np.hypot(y - 60, x - 440) < 25
    rgb[(piece & ~hole & ~cavity) | speck | crumb] = (190, 110, 170)
    found = find(Scene(rgb, piece))
    # At 4 µm: the hole has 128² µm², the cavity 284², the speck 71², the crumb 177².
    assert found[200, 200]
    assert not found[300, 300]
    assert not found[40, 40]
    assert found[60, 440]


def test_ink_over_tissue_is_more_even_than_tissue() -> None:
    scene = CASES["red pen across"](2).finished()
    density = -np.log10((ndimage.gaussian_filter(scene.rgb.astype(np.float32), (1, 1, 0)) + 1) / 244).max(axis=-1)
    uneven = unevenness(density.clip(0))
    stroke = ndimage.binary_erosion(line((60, 330), (560, 610), 34), iterations=8)
    tissue = ndimage.binary_erosion(scene.truth, iterations=8)
    assert np.median(uneven[stroke]) < 0.6 * np.median(uneven[tissue])


@pytest.mark.parametrize("pen", ["red", "blue", "green", "black"])
def test_ink_drawn_over_a_real_core(real_data, pen: str) -> None:
    import tifffile

    core = tifffile.imread(real_data / "wsi" / "instanseg_HE_example.ome.tif")
    small = core[:1480, :1376].reshape(185, 8, 172, 8, 3).mean(axis=(1, 3)) * (243 / 236)
    rgb = np.full((600, 800, 3), 243.0)
    rgb[200:385, 300:472] = small.clip(0, 243)
    clean = find(Scene(rgb.astype(np.uint8), rgb[..., 0] < 0))
    marks = ring((292, 386), 110, 24) | line((150, 250), (430, 520), 24)
    dense = ndimage.gaussian_filter(marks.astype(float), 1.0)[..., None]
    inked = (rgb * (np.array(PENS[pen]) / 243) ** dense).clip(0, 255).astype(np.uint8)
    found = find(Scene(inked, clean))
    assert overlap(found, clean & ~marks) > 0.8
    # Blue ink next to blue nuclei is the hardest: 0.14 was measured, 0 to 0.01 for the others.
    assert found[ndimage.binary_erosion(marks, iterations=3)].mean() < 0.2


@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "instanseg_HE_example.ome.tif"])
def test_real_slides_keep_their_tissue(real_data, name: str) -> None:
    from napari_medpatch.io.detect import open_source

    source = open_source(real_data / "wsi" / name)
    mask: TissueMask = tissue_mask(source)
    source.close()
    assert 0.2 < mask.mask.mean() < 0.95
