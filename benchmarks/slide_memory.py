"""The most memory that classifying a slide takes beyond the model, for slides of growing area.

    python benchmarks/slide_memory.py [--sides 12500 25000 50000 100000] [--tissue MM2]

Each slide is classified in a process of its own that finds the tissue, scores patches with a small network and
writes all result files. What the process held before, with the libraries and the network loaded and one batch scored,
counts as the model. To finish in minutes on two cores, slides hold the same amount of tissue and the patches are
those of a coarse model (2 µm per pixel); reading, masks, grids and maps are of full size.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from slide_work import header, peak_mb, zoo_bundle

from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.infer.feed import Batch
from napari_medpatch.infer.patch_scorer import PatchScorer
from napari_medpatch.io.detect import open_source
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.samples.huge_slide import make_huge_slide

_MPP = 0.25


def main() -> None:
    """Measure and print, or take one measurement for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[12_500, 25_000, 50_000, 100_000])
    parser.add_argument("--tissue", type=float, default=0.0, help="mm² on every slide; 0 is a quarter of each")
    parser.add_argument("--once", type=Path, nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        sys.stdout.write(json.dumps(_measure(*arguments.once)) + "\n")
        return
    header("Memory", "slide | tissue, mm² | patches | peak beyond the model, MB | model and libraries, MB | seconds")
    with tempfile.TemporaryDirectory() as folder:
        zoo_bundle(Path(folder) / "model", "test_resnet", pixels=224, spacing=2.0, network=64)
        for side in arguments.sides:
            _row(Path(folder), side, arguments.tissue)


def _row(folder: Path, side: int, tissue: float) -> None:
    area = (side * _MPP / 1000) ** 2
    share = min(0.9, tissue / area) if tissue else 0.25
    slide = folder / f"{side}.tif"
    made = make_huge_slide(slide, (side, side), tissue_share=share, mpp=_MPP)
    command = [sys.executable, __file__, "--once", str(slide), str(folder / "model"), str(folder / f"out-{side}")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"| {side:,} × {side:,} | {made.tissue_share * area:.0f} | {found['patches']} | {found['beyond']:.0f} | "
        f"{found['before']:.0f} | {found['seconds']:.0f} |",
        flush=True,
    )


def _measure(slide: Path, model: Path, out: Path) -> dict[str, float]:
    bundle = load_bundle(model)
    scorer = PatchScorer(bundle)
    list(scorer.stream([Batch(np.arange(4), np.zeros((4, 64, 64, 3), np.uint8))]))
    before, began = peak_mb(), time.perf_counter()
    with closing(open_source(slide)) as source:
        result = run(classify(source, bundle, ClassifySettings(), out=out))
    return {
        "patches": len(result.grid.cells),
        "before": before,
        "beyond": peak_mb() - before,
        "seconds": time.perf_counter() - began,
    }


if __name__ == "__main__":
    main()
