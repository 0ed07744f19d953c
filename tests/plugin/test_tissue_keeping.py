"""A corrected tissue mask is on disk within seconds, is there the next time, and can be forgotten."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_medpatch.events import run
from napari_medpatch.io.project_folder import default_folder
from napari_medpatch.patches.kept_tissue import kept_tissue
from napari_medpatch.plugin.links import source_of
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.settings import keep
from napari_medpatch.plugin.tissue_layer import add_tissue, find_tissue, is_edited, tissue_layer, tissue_of


@pytest.fixture
def image(viewer: Any, slide_file: Path, tmp_path: Path) -> Any:
    keep("learning", "autosave_seconds", 3)
    (layer,) = open_paths(viewer, [Path(shutil.copy(slide_file, tmp_path / "mine.tiff"))])
    return layer


def test_painting_is_kept_within_seconds(viewer: Any, image: Any, qtbot: Any) -> None:
    source = source_of(image)
    layer = add_tissue(viewer, image, run(find_tissue(source)))
    assert not is_edited(layer)
    before = int(layer.data.sum())
    layer.data_setitem((np.array([0, 0, 1]), np.array([0, 1, 1])), 1)
    qtbot.waitUntil(lambda: kept_tissue(source) is not None, timeout=6000)
    kept = kept_tissue(source)
    assert kept.edited
    assert int(kept.tissue.mask.sum()) == before + 3
    assert kept.tissue.downsample == tissue_of(layer).downsample
    qtbot.waitUntil(lambda: is_edited(layer), timeout=1000)


def test_removing_the_layer_keeps_what_was_painted(viewer: Any, image: Any, qtbot: Any) -> None:
    source = source_of(image)
    layer = add_tissue(viewer, image, run(find_tissue(source)))
    layer.data_setitem((np.array([3]), np.array([4])), 1)
    viewer.layers.remove(layer)
    assert kept_tissue(source).tissue.mask[3, 4]


def test_a_mask_that_nobody_touched_leaves_no_folder(viewer: Any, image: Any, qtbot: Any) -> None:
    add_tissue(viewer, image, run(find_tissue(source_of(image))))
    qtbot.wait(2500)
    viewer.layers.remove(tissue_layer(viewer, image))
    assert not default_folder(source_of(image)).exists()


def test_the_correction_is_shown_again_and_finding_anew_forgets_it(viewer: Any, image: Any, qtbot: Any) -> None:
    source = source_of(image)
    layer = add_tissue(viewer, image, run(find_tissue(source)))
    found = layer.data.copy()
    layer.data = np.ones_like(found)
    viewer.layers.remove(layer)
    again = add_tissue(viewer, image, run(find_tissue(source)))
    assert again.data.all()
    assert is_edited(again)
    anew = add_tissue(viewer, image, run(find_tissue(source, anew=True)))
    assert np.array_equal(anew.data, found)
    assert not is_edited(anew)
    assert tissue_layer(viewer, image) is anew
