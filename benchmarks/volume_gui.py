"""From the click on Run to the first overlay and to the whole mask, and how long the window stands still meanwhile.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/volume_gui.py [VOLUME] [--model lungs-ct-unet3d]

Each round is a process of its own. A timer ticks every 5 ms on the thread of the window while the job runs; the
longest time between two ticks is the longest stall. It is measured without any job too, for what the machine itself
does to the timer. Prints rows of a Markdown table.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from volume_work import chest, in_fresh_process

_TICK_MS = 5
_IDLE_S = 3.0
_PATIENCE_S = 1800.0


def main() -> None:
    """Measure and print, or take one measurement for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("volume", type=Path, nargs="?", help="a simulated chest by default")
    parser.add_argument("--size", type=int, nargs=3, default=(300, 512, 512), metavar="N", help="of the simulated one")
    parser.add_argument("--model", default="lungs-ct-unet3d")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        sys.stdout.write(json.dumps(_measure(arguments.volume, arguments.model)) + "\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        volume = arguments.volume or _simulated(Path(folder), tuple(arguments.size))
        rounds = [in_fresh_process(__file__, volume, "--model", arguments.model) for _ in range(arguments.rounds)]
    _show(rounds)


def _simulated(folder: Path, size: tuple[int, int, int]) -> Path:
    import nibabel
    import numpy as np

    source = chest(size)
    affine = np.diag([*source.spacing.values[::-1], 1.0])
    nibabel.save(nibabel.Nifti1Image(source.data.transpose(2, 1, 0), affine), folder / "chest.nii")
    return folder / "chest.nii"


def _show(rounds: list[dict[str, Any]]) -> None:
    print("| what | result |\n|---|---|")
    size = " × ".join(map(str, rounds[0]["shape"]))
    for key, what, unit in (
        ("first", "click to first overlay", "s"),
        ("whole", "click to the whole mask", "s"),
        ("stall", "longest stall of the window meanwhile", "ms"),
        ("late", "stalls above 50 ms", ""),
        ("idle", "longest stall without a job", "ms"),
    ):
        values = [one[key] for one in rounds]
        middle, worst = statistics.median(values), max(values)
        print(f"| {what}, {size}, {rounds[0]['model']} | {middle:.3g} {unit} (worst of {len(values)}: {worst:.3g}) |")


def _measure(path: Path, model: str) -> dict[str, Any]:
    """Open a volume in a real window, run the model, and watch the clock."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_medpatch.plugin.open import open_paths
    from napari_medpatch.plugin.segment_widget import SegmentWidget
    from napari_medpatch.plugin.unfinished import unfinished_folder
    from napari_medpatch.plugin.warm_up import warm_up

    warm_up()  # as ``napari-medpatch open`` does before it makes the window
    viewer = napari.Viewer(show=True)
    (layer,) = open_paths(viewer, [path])
    tab = SegmentWidget(viewer)
    viewer.window.add_dock_widget(tab, name="Segment")
    tab.model.choose(model)
    until = time.perf_counter() + 1.0
    while time.perf_counter() < until:
        QApplication.processEvents()
    ticks = _Ticks()
    ticks.watch(lambda: time.perf_counter() - ticks.begun < _IDLE_S)
    idle = ticks.longest()
    found: dict[str, float] = {}
    tab.runner.progressed.connect(lambda _events: tab.overlay.layers and found.setdefault("first", ticks.elapsed()))
    ticks = _Ticks()
    tab.row.run_button.click()
    ticks.watch(lambda: tab.runner.is_running)
    found["whole"] = ticks.elapsed()
    ticks.watch(lambda: ticks.elapsed() < found["whole"] + 0.5)
    viewer.close()
    shutil_folder = unfinished_folder(layer.metadata["medpatch_source"], model)
    assert not shutil_folder.exists()
    return {
        "shape": layer.data.shape,
        "model": model,
        "first": found["first"],
        "whole": found["whole"],
        "stall": ticks.longest() * 1000,
        "late": sum(gap > 0.05 for gap in ticks.gaps()),
        "idle": idle * 1000,
        "worst": sorted(([round(gap * 1000), round(at, 2)] for at, gap in ticks.when()), reverse=True)[:8],
    }


class _Ticks:
    """When a timer on the window's thread fired."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.begun = time.perf_counter()
        self._times = [self.begun]
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(lambda: self._times.append(time.perf_counter()))

    def elapsed(self) -> float:
        """Return seconds since the beginning."""
        return time.perf_counter() - self.begun

    def watch(self, running: Any) -> None:
        """Let Qt work as long as ``running()``."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop, check = QEventLoop(), QTimer()
        end = time.perf_counter() + _PATIENCE_S
        check.timeout.connect(lambda: (not running() or time.perf_counter() > end) and loop.quit())
        check.start(20)
        self._timer.start(_TICK_MS)
        loop.exec()
        self._timer.stop()

    def gaps(self) -> list[float]:
        """Return the times between ticks."""
        return [b - a for a, b in zip(self._times, self._times[1:], strict=False)]

    def when(self) -> list[tuple[float, float]]:
        """Return when each gap began, and how long it was."""
        return [(a - self.begun, b - a) for a, b in zip(self._times, self._times[1:], strict=False)]

    def longest(self) -> float:
        """Return the longest time between two ticks."""
        return max(self.gaps())


if __name__ == "__main__":
    main()
