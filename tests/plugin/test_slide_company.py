"""Beside a slide that is shown: a flat one's overview fills in without freezing, damage is said once."""

import gc
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_medpatch.io import flat_overview, pyramid
from napari_medpatch.plugin import slide_company
from napari_medpatch.plugin.layers import LIVE
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.samples.huge_slide import make_huge_slide


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slide_company, "_LOOK_MS", 20)
    monkeypatch.setattr(slide_company, "_REFRESH_S", 0.05)


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80,000 × 100,000 pixels without a pyramid."""
    path = tmp_path_factory.mktemp("flat") / "flat.tif"
    make_huge_slide(path, levels=1, mpp=1.0, tissue="block", tissue_share=0.9)
    return path


def company(layer: Any) -> slide_company.SlideCompany:
    """Return the one of a layer; other tests' slides may not be collected yet."""
    source = layer.metadata[LIVE]
    (one,) = (each for each in slide_company._running if each._source() is source)
    return one


def test_a_flat_slide_of_gigapixels_neither_freezes_the_window_nor_the_way_out(
    viewer: Any, qtbot: Any, flat: Path, said: list[str]
) -> None:
    (layer,) = open_paths(viewer, [flat])
    watcher, source = company(layer), layer.metadata[LIVE]
    assert watcher.is_filling
    assert any("fills in while you look" in sentence for sentence in said)
    overview = layer.data[-1]
    qtbot.waitUntil(lambda: np.ptp(overview[:40, :40]) > 0, timeout=30_000)
    longest, last = 0.0, time.perf_counter()
    for _ in range(20):
        layer.refresh()
        qtbot.wait(1)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    assert longest < 1.0
    watcher._progress.cancel()  # the button in napari's list of activities
    qtbot.waitUntil(lambda: not watcher.is_filling, timeout=10_000)
    assert source.waits_for_overview
    qtbot.waitUntil(lambda: any("left unfinished" in sentence for sentence in said))


def test_the_picture_fills_in_by_itself(
    viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyramid, "_QUICK_PIXELS", 1 << 16)
    monkeypatch.setattr(flat_overview, "_KEPT_PIXELS", 1 << 20)
    make_huge_slide(tmp_path / "flat.tif", (3000, 4000), levels=1, mpp=1.0, tissue_share=1.0)
    (layer,) = open_paths(viewer, [tmp_path / "flat.tif"])
    source = layer.metadata[LIVE]
    qtbot.waitUntil(lambda: not source.waits_for_overview, timeout=30_000)
    qtbot.waitUntil(lambda: layer._slice.image.raw.std() > 5, timeout=5000)
    qtbot.waitUntil(lambda: company(layer)._progress is None, timeout=5000)


def test_it_ends_with_the_slides_last_layer(viewer: Any, qtbot: Any, flat: Path) -> None:
    (layer,) = open_paths(viewer, [flat])
    watcher = company(layer)
    del layer
    viewer.layers.clear()

    def gone() -> bool:
        gc.collect()
        return watcher not in slide_company._running and not watcher.is_filling

    qtbot.waitUntil(gone, timeout=20_000)
    assert watcher._source() is None


def test_damage_is_said_once_and_the_rest_is_shown(viewer: Any, qtbot: Any, tmp_path: Path, said: list[str]) -> None:
    path = tmp_path / "bad.tif"
    make_huge_slide(path, (900, 900), levels=1, mpp=1.0, tissue_share=1.0)
    with tifffile.TiffFile(path) as tif:
        offset, count = tif.pages.first.dataoffsets[5], tif.pages.first.databytecounts[5]
        shared = [n for n, at in enumerate(tif.pages.first.dataoffsets) if at == offset]
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(bytes(count))
    (layer,) = open_paths(viewer, [path])
    pixels = layer.data[:] if not layer.multiscale else layer.data[0][:]
    for n in range(16):
        row, column = 256 * (n // 4), 256 * (n % 4)
        blank = (pixels[row : row + 256, column : column + 256] == 255).all()
        assert blank == (n in shared)
    layer.refresh()
    qtbot.waitUntil(lambda: any("bad.tif is damaged" in sentence for sentence in said), timeout=5000)
    layer.refresh()
    qtbot.wait(100)
    assert len([sentence for sentence in said if "is damaged" in sentence]) == 1
    assert any(sentence.endswith("The rest of the slide is shown.") for sentence in said)
