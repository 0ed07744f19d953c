"""The main job on real images: how long, how well, and as ratios to the usual way where there is one.

    python benchmarks/main_job.py ../shared/real [--seconds 60]

Prints a Markdown table. Ratios are taken within this one run, so that the machine's speed drops out.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch import Box, SparseLabels, open_source, resolve_model, run, segment
from napari_medpatch.evaluate.segmentation import overlap
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.train.fine_tune import FineTuneSettings, fine_tune

LUNGS = "lungs-ct-unet3d"


def main() -> None:
    """Measure each row and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the real images")
    parser.add_argument("--seconds", type=float, default=60.0, help="budget of the retraining")
    arguments = parser.parse_args()
    print("| what | result |\n|---|---|")
    for row in (_slide_reading, _opening, _segmenting, lambda folder: _retraining(folder, arguments.seconds)):
        for what, result in row(arguments.folder):
            print(f"| {what} | {result} |", flush=True)


def _best(work: Callable[[], Any], rounds: int = 5) -> float:
    """Return the least processor time of several rounds, in seconds."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def _slide_reading(folder: Path) -> list[tuple[str, str]]:
    """Compare our source, without its cache, with OpenSlide on the same slide."""
    import openslide

    from napari_medpatch.io.tile_cache import TileCache

    path = folder / "wsi" / "CMU-1-Small-Region.svs"
    slide = openslide.OpenSlide(str(path))
    slide.set_cache(openslide.OpenSlideCache(0))
    box = Box((0, 0), (2880, 2160))
    theirs = _best(lambda: np.asarray(slide.read_region((0, 0), 0, (2160, 2880)).convert("RGB")))
    with closing(open_source(path, cache=TileCache(1))) as source:
        ours = _best(lambda: source.read(0, box))
    return [("slide region 2880 × 2160, processor time, OpenSlide ÷ ours", f"{theirs / ours:.1f}×")]


def _opening(folder: Path) -> list[tuple[str, str]]:
    began = time.perf_counter()
    with closing(open_source(folder / "ct" / "LIDC-IDRI-0001_ct_256.nii.gz")) as source:
        source.read(0, Box.whole(source.levels[0].shape))
    return [("open a CT of 256 × 256 × 133", f"{time.perf_counter() - began:.1f} s")]


def _segmenting(folder: Path) -> list[tuple[str, str]]:
    rows = []
    with closing(open_source(folder / "ct" / "LIDC-IDRI-0001_ct_256.nii.gz")) as source:
        truth = read_labels(folder / "ct" / "LIDC-IDRI-0001_lungs_derived_256.nii.gz", source)
        began = time.perf_counter()
        result = run(segment(source, resolve_model(LUNGS)))
        rows.append((f"segment it with {LUNGS}", f"{time.perf_counter() - began:.1f} s"))
        rows.append(("lung IoU against its (automatic) mask", f"{overlap(result.mask, truth)[1]['iou']:.3f}"))
    return rows


def _retraining(folder: Path, seconds: float) -> list[tuple[str, str]]:
    """Retrain from evenly spread axial slices and score the unlabelled rest."""
    cases = [
        ("lungs (LIDC)", "LIDC-IDRI-0001_ct_256.nii.gz", "LIDC-IDRI-0001_lungs_derived_256.nii.gz", (0.25, 0.5, 0.75)),
        ("left and right lung (CIP)", "CIP_10002K_ct-64.nii.gz", "CIP_10002K_lungs-64.nii.gz", (0.25, 0.5, 0.75)),
        ("lung tumour (IBSI)", "IBSI_ct_phantom.nii.gz", "IBSI_ct_phantom_gtv.nii.gz", (0.1, 0.3, 0.5, 0.7, 0.9)),
        ("sarcoma (STS)", "STS_001_ct_image.nii.gz", "STS_001_ct_mask.nii.gz", (0.1, 0.3, 0.5, 0.7, 0.9)),
    ]
    rows = []
    for name, image, mask, places in cases:
        with closing(open_source(folder / "ct" / image)) as source:
            truth = read_labels(folder / "ct" / mask, source)
            labels = _painted(truth, places, empty_ends=len(places) > 3)
            names = ("background", *(f"class {n}" for n in range(1, int(truth.max()) + 1)))
            began = time.perf_counter()
            result = run(fine_tune(source, SparseLabels(labels, names), None, FineTuneSettings(seconds=seconds)))
            scores = overlap(result.mask, truth, labels == 0)
            iou = " / ".join(f"{score['iou']:.3f}" for score in scores.values())
            what = f"retrain: {name}, {len(places)} slices, {seconds:.0f} s: IoU of the unlabelled rest"
            rows.append((what, f"{iou} ({result.steps} steps, {time.perf_counter() - began:.0f} s in all)"))
    return rows


def _painted(truth: np.ndarray, places: tuple[float, ...], *, empty_ends: bool) -> np.ndarray:
    """Copy the truth of a few axial slices, and of one empty slice beyond each end of the object."""
    inside = np.flatnonzero(truth.any(axis=(1, 2)))
    first, last = int(inside[0]), int(inside[-1])
    chosen = [round(first + place * (last - first)) for place in places]
    if empty_ends:
        chosen += [max(0, first - 1), min(len(truth) - 1, last + 1)]
    labels = np.zeros(truth.shape, np.uint8)
    labels[chosen] = truth[chosen] + 1
    return labels


if __name__ == "__main__":
    main()
