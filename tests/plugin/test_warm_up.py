"""What the first image would wait for is done before, without getting in the user's way."""

import subprocess
import sys
from typing import Any

from qtpy.QtCore import QObject

from napari_medpatch.plugin import warm_up as warming


def test_all_of_it_is_loaded_and_nothing_heavier() -> None:
    code = (
        "import sys; from napari_medpatch.plugin.warm_up import warm_up; warm_up();"
        "print([name in sys.modules for name in "
        "('openslide', 'tifffile', 'imagecodecs', 'scipy.ndimage', 'pint', 'torch', 'skimage', 'sklearn')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split("\n")[-2] == str([True] * 5 + [False] * 3)


def test_idle_steps_run_one_by_one_and_end(qtbot: Any, monkeypatch: Any) -> None:
    calls: list[int] = []
    monkeypatch.setattr(warming, "_PAUSE_MS", 1)
    monkeypatch.setattr(warming, "_STEPS", tuple(lambda n=n: calls.append(n) for n in range(3)))
    parent = QObject()
    warming.warm_up_when_idle(parent)
    assert calls == []
    qtbot.waitUntil(lambda: len(calls) == 3)
    qtbot.wait(20)
    assert calls == [0, 1, 2]


def test_a_panel_that_is_gone_stops_it(qtbot: Any, monkeypatch: Any) -> None:
    calls: list[int] = []
    monkeypatch.setattr(warming, "_PAUSE_MS", 5)
    monkeypatch.setattr(warming, "_STEPS", (lambda: calls.append(1),))
    parent = QObject()
    warming.warm_up_when_idle(parent)
    parent.deleteLater()
    qtbot.wait(40)
    assert calls == []
