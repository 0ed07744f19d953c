"""A large slide in a real window: quick to open, and what was decoded once is not read again."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_medpatch.io.tiff_pages import FileBytes
from napari_medpatch.plugin.layers import LIVE
from napari_medpatch.plugin.open import open_paths, tile_cache
from napari_medpatch.plugin.open_widget import OpenWidget
from napari_medpatch.plugin.panel import MedPatchPanel
from napari_medpatch.plugin.settings import keep, preference
from napari_medpatch.samples.huge_slide import make_huge_slide


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100,000 × 80,000 pixels."""
    path = tmp_path_factory.mktemp("slides") / "huge.tif"
    make_huge_slide(path, size=(80_000, 100_000), mpp=0.25)
    return path


@pytest.fixture
def window(make_napari_viewer: Any) -> Any:
    """A window that is drawn."""
    return make_napari_viewer(show=True)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each read of a file took."""
    counts: list[int] = []
    read = FileBytes.read
    monkeypatch.setattr(FileBytes, "read", lambda self, at, count: (counts.append(count), read(self, at, count))[1])
    return counts


def camera_of(viewer: Any) -> Any:
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def drawn(viewer: Any, qtbot: Any) -> Callable[[], None]:
    """Return a function that waits for the next frame."""
    frames: list[int] = []
    viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(lambda event: frames.append(1))

    def wait() -> None:
        before = len(frames)
        qtbot.waitUntil(lambda: len(frames) > before, timeout=20_000)

    return wait


def test_opening_takes_less_than_a_second_of_work(window: Any, qtbot: Any, huge: Path, reads: list[int]) -> None:
    """Processor time, because other programs may be busy; one slide was opened before, which loads the readers."""
    wait = drawn(window, qtbot)
    open_paths(window, [huge])
    window.layers.clear()
    reads.clear()
    began = time.process_time()
    (layer,) = open_paths(window, [huge])
    wait()
    assert time.process_time() - began < 1.0
    assert layer.loaded
    assert np.ptp(window.screenshot(flash=False)[..., :3]) > 50
    assert sum(reads) < 3e6  # of 6.4 MB; a real slide of this size has gigabytes


def test_panning_over_cached_tiles_reads_nothing(window: Any, qtbot: Any, huge: Path, reads: list[int]) -> None:
    (layer,) = open_paths(window, [huge])
    wait, camera = drawn(window, qtbot), camera_of(window)
    decoded: list[tuple[int, ...]] = []
    reader = layer.metadata[LIVE]._reader
    decode = reader.tile
    reader.tile = lambda *place: (decoded.append(place), decode(*place))[1]
    camera.zoom = 1 / layer.scale[1]
    places = [(10_000 + 170 * step, 12_500 + 210 * step) for step in range(8)]

    def walk(way: list[tuple[int, int]]) -> None:
        for y, x in way:
            camera.center = (y, x)
            wait()

    walk([(y * 0.25, x * 0.25) for y, x in places])
    assert layer.data_level == 0
    assert {level for level, *_ in decoded} == {0}
    assert len(decoded) == len(set(decoded)) > 20
    decoded.clear()
    reads.clear()
    walk([(y * 0.25, x * 0.25) for y, x in places[-2::-1] + places[1:]])
    assert decoded == []
    assert reads == []


def test_the_field_in_the_open_tab_sizes_the_cache_of_open_slides(window: Any, huge: Path) -> None:
    before = preference("slides", "cache_mb")
    panel = MedPatchPanel(window)
    (layer,) = open_paths(window, [huge])
    tab = panel.open_tab
    assert isinstance(tab, OpenWidget)
    assert tab.cache_field.value() == before
    tab.cache_field.setValue(64)
    assert preference("slides", "cache_mb") == 64
    assert tile_cache().max_bytes == 64_000_000
    assert layer.metadata[LIVE]._cache is tile_cache()
    keep("slides", "cache_mb", before)
    panel.close()
