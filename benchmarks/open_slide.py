"""How long a slide of 100,000 × 80,000 pixels takes from the window to its first picture, and what panning reads.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/open_slide.py [SLIDE] [--rounds N]

Each round is a process of its own, as ``napari-medpatch open`` is one. The clock starts when the empty window has
been drawn and stops when a frame with the slide's pixels has been. Prints rows of a Markdown table.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_PATIENCE_S = 60.0


def main() -> None:
    """Measure and print, or take one measurement for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide", type=Path, nargs="?", help="a simulated one by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        sys.stdout.write(json.dumps(_measure(arguments.slide)) + "\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        slide = arguments.slide or _simulated(Path(folder))
        rounds = [_fresh_process(slide) for _ in range(arguments.rounds)]
    print("| what | result |\n|---|---|")
    for what, result in _rows(rounds):
        print(f"| {what} | {result} |")


def _simulated(folder: Path) -> Path:
    from napari_medpatch.samples.huge_slide import make_huge_slide

    make_huge_slide(folder / "slide.tif", size=(80_000, 100_000))
    return folder / "slide.tif"


def _fresh_process(slide: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, str(slide), "--once"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _rows(rounds: list[dict[str, Any]]) -> list[tuple[str, str]]:
    def middle(key: str) -> float:
        return float(statistics.median(one[key] for one in rounds))

    width, height = rounds[0]["size"]
    return [
        (
            f"window to first picture, slide of {width:,} × {height:,} pixels, median of {len(rounds)}",
            f"{middle('seconds'):.2f} s ({middle('processor'):.2f} s of processor time)",
        ),
        ("one step of panning at full resolution, new tiles", f"{1000 * middle('new_step'):.0f} ms"),
        ("the same over cached tiles", f"{1000 * middle('old_step'):.0f} ms"),
        ("tiles decoded over cached tiles", f"{sum(one['decoded_again'] for one in rounds)}"),
    ]


def _measure(slide: Path) -> dict[str, Any]:
    """Open the slide in a real window, then pan to and fro."""
    import napari

    from napari_medpatch.plugin.open import open_paths
    from napari_medpatch.plugin.warm_up import warm_up

    warm_up()  # as ``napari-medpatch open`` does before it makes the window
    viewer = napari.Viewer(show=True)
    window = _Window(viewer)
    window.wait_for_frame(0.0)
    began, processor = time.perf_counter(), time.process_time()
    (layer,) = open_paths(viewer, [slide])
    window.wait_for_frame(time.perf_counter())
    result = {"seconds": time.perf_counter() - began, "processor": time.process_time() - processor}
    source = layer.metadata["medpatch_source"]
    result["size"] = source.levels[0].shape[::-1]
    _pan(viewer, layer, source, window, result)
    viewer.close()
    return result


class _Window:
    """Lets Qt work until a frame has been drawn."""

    def __init__(self, viewer: Any) -> None:
        self._last = 0.0
        viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(self._note)

    def _note(self, event: Any) -> None:
        self._last = time.perf_counter()

    def wait_for_frame(self, after: float) -> None:
        from qtpy.QtWidgets import QApplication

        end = time.perf_counter() + _PATIENCE_S
        while self._last <= after:
            if time.perf_counter() > end:
                raise SystemExit("No frame was drawn; is there a display?")
            QApplication.processEvents()


def _pan(viewer: Any, layer: Any, source: Any, window: _Window, result: dict[str, Any]) -> None:
    """Walk over the slide's middle at full resolution, then the same way back and forth again."""
    decoded: list[tuple[int, ...]] = []
    decode = source._reader.tile
    source._reader.tile = lambda *place: (decoded.append(place), decode(*place))[1]
    middle = [n * s / 2 for n, s in zip(source.levels[0].shape, layer.scale, strict=True)]
    stride = 300 * layer.scale[1]
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera  # before napari 0.9
    camera.zoom = 1 / layer.scale[1]
    for key, way in (("new_step", [*range(11)]), ("old_step", [*range(9, -1, -1), *range(1, 11)])):
        decoded.clear()
        began = time.perf_counter()
        for step in way:
            asked = time.perf_counter()
            camera.center = (middle[0], middle[1] + step * stride)
            window.wait_for_frame(asked)
        result[key] = (time.perf_counter() - began) / len(way)
    result["decoded_again"] = len(decoded)


if __name__ == "__main__":
    main()
