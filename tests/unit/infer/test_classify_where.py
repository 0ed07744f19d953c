"""Where a classification looks: tilings, regions of interest and masks that were kept."""

from pathlib import Path

import numpy as np
import pytest

from napari_medpatch.errors import GeometryError, NoTissueError
from napari_medpatch.events import Noted, run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.patches.kept_tissue import keep_edited_tissue
from napari_medpatch.patches.roi import Region
from napari_medpatch.patches.tissue import TissueMask


def _settings(**changes) -> ClassifySettings:
    return ClassifySettings(device="cpu", **changes)


def _square(y0, x0, y1, x1) -> Region:
    return Region((np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]], float),))


def test_a_region_limits_what_is_scored(pyramid, stained_slide, mean_colour) -> None:
    whole = run(classify(pyramid(stained_slide), mean_colour(), _settings()))
    left = run(classify(pyramid(stained_slide), mean_colour(), _settings(), roi=_square(0, 0, 600, 400)))
    centres = whole.grid.boxes()[:, :2] + 16
    assert 0 < len(left.grid.cells) < len(whole.grid.cells)
    assert left.grid.cells.tolist() == whole.grid.cells[centres[:, 1] < 400].tolist()
    scored = np.isfinite(left.probabilities)
    assert np.array_equal(left.probabilities[scored], whole.probabilities[scored])


@pytest.mark.parametrize(
    ("roi", "sentence"),
    [
        (_square(700, 0, 900, 100), r"rows 700 to 900.*outside slide\.svs, which has 600 rows"),
        (_square(-90, -90, -5, -5), "outside"),
        (_square(0, 0, 60, 60), r"holds no patch of mean-colour \(32 × 32 pixels\) on tissue"),
        (_square(300, 400, 303, 403), "draw it larger"),
    ],
)
def test_regions_without_patches_are_said_to_be_so(pyramid, stained_slide, mean_colour, roi, sentence) -> None:
    with pytest.raises(NoTissueError, match=sentence):
        run(classify(pyramid(stained_slide), mean_colour(), _settings(), roi=roi))


def test_stride_in_um_is_that_of_the_result(pyramid, stained_slide, mean_colour) -> None:
    result = run(classify(pyramid(stained_slide), mean_colour(), _settings(stride_um=8.0)))
    assert result.grid.stride_px == (16, 16)
    assert result.provenance["settings"]["stride_um"] == 8.0


def test_strip_tiles_are_scored_whole(pyramid, stained_slide, mean_colour) -> None:
    bright = pyramid(np.where(stained_slide > 225, 250, stained_slide))
    result = run(classify(bright, mean_colour(), _settings(tiling="strip", min_tissue=0.05)))
    assert result.grid.patch_px == (600, 600)
    assert result.grid.cells.tolist() == [[0, 0]]
    with pytest.raises(NoTissueError):  # the disc fills a fifth of the first tile: 80 % of it is blank
        run(classify(bright, mean_colour(), _settings(tiling="strip")))


def test_wsinfers_rule_in_full_is_a_tiling(pyramid, stained_slide, mean_colour) -> None:
    slide = pyramid(np.repeat(np.repeat(stained_slide, 2, 0), 2, 1))
    ours = run(classify(slide, mean_colour(), _settings(exact=True)))
    theirs = run(classify(slide, mean_colour(), _settings(exact=True, tiling="wsinfer-full")))
    assert (ours.grid.rows, ours.grid.cols) == (theirs.grid.rows, theirs.grid.cols)
    common = set(map(tuple, ours.grid.cells.tolist())) & set(map(tuple, theirs.grid.cells.tolist()))
    assert len(common) > 0.9 * len(ours.grid.cells)


@pytest.mark.parametrize("changes", [{"tiling": "hexagons"}, {"stride_um": -1.0}, {"overlap": 1.0}])
def test_impossible_grids_are_refused(pyramid, stained_slide, mean_colour, changes) -> None:
    with pytest.raises(GeometryError):
        run(classify(pyramid(stained_slide), mean_colour(), _settings(**changes)))


def test_a_corrected_mask_of_the_project_is_used_and_named(tmp_path: Path, stained_slide, mean_colour) -> None:
    path = tmp_path / "slide.tiff"
    path.write_bytes(b"scan")
    source = ArraySource(stained_slide, "slide", (0.5, 0.5), path=path)
    corner = np.zeros((6, 8), bool)
    corner[0, 0] = True
    keep_edited_tissue(source, TissueMask(corner, (100.0, 100.0)))
    events = list(classify(source, mean_colour(), _settings()))
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert any("as you corrected it" in note for note in notes)
    assert events[-1].result.grid.cells.max() == 2
    # What the caller gives comes before what is kept.
    everywhere = TissueMask(np.ones((1, 1), bool), (600.0, 800.0))
    given = run(classify(source, mean_colour(), _settings(), tissue=everywhere))
    assert len(given.grid.cells) == given.grid.rows * given.grid.cols
