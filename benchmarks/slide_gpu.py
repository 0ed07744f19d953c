"""Patches per second on a GPU, how busy it is, and how long it waits for pixels.

    python benchmarks/slide_gpu.py [SLIDE] [--seconds N]

ResNet34 at 350 pixels (0.25 µm) and ViT-L/16 at 224 pixels (0.5 µm), untrained, from a simulated 40× slide: once
through the feed, once on pixels that are in memory already. The difference is the time spent waiting for pixels.
Says so and ends if torch sees no CUDA device.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from slide_work import grid_of, header, zoo_bundle

from napari_medpatch.infer.feed import Batch, PatchReader
from napari_medpatch.infer.patch_scorer import PatchScorer
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.source import finest_level_at_least
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.samples.huge_slide import make_huge_slide

_MODELS = (("resnet34", 350, 0.25), ("vit_large_patch16_224", 224, 0.5))


def main() -> None:
    """Measure and print, if there is something to measure on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("No CUDA device: nothing was measured.")
        return
    columns = "model | patches per second | without reading | GPU busy | waiting for pixels"
    header("GPU", columns)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.slide or _simulated(Path(folder))
        for architecture, pixels, spacing in _MODELS:
            bundle = zoo_bundle(Path(folder) / architecture, architecture, pixels=pixels, spacing=spacing)
            _row(path, bundle, arguments.seconds)


def _simulated(folder: Path) -> Path:
    make_huge_slide(folder / "simulated.tif", (60_000, 60_000), tissue="block", tissue_share=0.98, mpp=0.25)
    return folder / "simulated.tif"


def _row(path: Path, bundle: Bundle, seconds: float) -> None:
    scorer = PatchScorer(bundle, device="cuda")
    alone, _ = _rate(scorer, _in_memory(scorer), seconds)
    with closing(open_source(path)) as source:
        boxes = grid_of(path, bundle).boxes()
        spacing = source.spacing.mean
        level = finest_level_at_least(source, bundle.card.spacing_um_px / spacing)
        reader = PatchReader(source, boxes, level, black_outside=True, target=scorer.input_shape)
        with closing(scorer.feed(reader.chunks(), reader.load)) as feed:
            whole, busy = _rate(scorer, feed, seconds)
    name = f"{bundle.card.architecture}, {bundle.card.patch_size_pixels} px, {scorer.precision}"
    print(f"| {name} | {whole:.0f} | {alone:.0f} | {busy} | {max(0.0, 1 - whole / alone):.0%} |", flush=True)


def _in_memory(scorer: PatchScorer) -> Iterator[Batch]:
    edge = scorer.card.patch_size_pixels
    pixels = np.random.default_rng(0).integers(0, 256, (scorer.batch_size, edge, edge, 3), np.uint8)
    while True:
        yield Batch(np.arange(len(pixels)), pixels)


def _rate(scorer: PatchScorer, batches: Iterator[Batch], seconds: float) -> tuple[float, str]:
    """Return patches per second after the first two batches, and the mean utilisation that the driver reports."""
    stop, used = threading.Event(), []
    watcher = threading.Thread(target=_watch, args=(stop, used))
    done, began = 0, 0.0
    with closing(scorer.stream(batches)) as scored:
        for number, (_, values) in enumerate(scored):
            if number == 2:
                began = time.perf_counter()
                watcher.start()
            elif number > 2:
                done += len(values)
                if time.perf_counter() - began > seconds:
                    break
    stop.set()
    if not began:
        return float("nan"), "too few patches"
    elapsed = time.perf_counter() - began
    watcher.join()
    return done / elapsed, f"{statistics.mean(used):.0f} %" if used else "unknown (no NVML)"


def _watch(stop: threading.Event, used: list[float]) -> None:
    while not stop.wait(0.2):
        try:
            used.append(torch.cuda.utilization())
        except (RuntimeError, ModuleNotFoundError):
            return


if __name__ == "__main__":
    main()
