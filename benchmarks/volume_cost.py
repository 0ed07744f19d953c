"""What segmenting costs as volumes grow: processor time and memory against the number of voxels.

    python benchmarks/volume_cost.py [--slices 64 128 192 256 320] [--plane 256] [--model lungs-ct-unet3d]

Each volume is segmented in a process of its own. By default a U-Net of 3 levels and 8 channels works at the volume's
own resolution. A line is fitted; ``R²`` says how straight it is. ``peak`` is what the job took beyond the volume,
and ``beyond the mask`` what is left without the arrays that it returns.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from slide_work import header, peak_mb
from volume_work import chest, in_fresh_process, unet_bundle

from napari_medpatch.events import run
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.models.registry import resolve_model


def main() -> None:
    """Measure and print, or take one measurement for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, nargs="+", default=[64, 128, 192, 256, 320])
    parser.add_argument("--plane", type=int, default=256)
    parser.add_argument("--model", help="a bundle instead of the untrained U-Net")
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        slices, plane, model = arguments.once
        sys.stdout.write(json.dumps(_measure(int(slices), int(plane), model)) + "\n")
        return
    header("Cost", "voxels | processor seconds | seconds | ns per voxel | peak, MB | beyond the mask, MB")
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or str(unet_bundle(Path(folder) / "net", channels=8).path)
        points = [_row(slices, arguments.plane, model) for slices in arguments.slices]
    x, y = np.array(points).T
    slope, start = np.polyfit(x, y, 1)
    straight = np.corrcoef(x, y)[0, 1] ** 2
    print(f"\nProcessor time: {start:.1f} s + {slope:.2f} s per million voxels, R² {straight:.4f}.")


def _row(slices: int, plane: int, model: str) -> tuple[float, float]:
    """Print one row; returns millions of voxels and processor seconds."""
    found = in_fresh_process(__file__, slices, plane, model)
    voxels = slices * plane * plane
    print(
        f"| {slices} × {plane} × {plane} | {found['cpu']:.1f} | {found['wall']:.1f} | "
        f"{1e9 * found['cpu'] / voxels:.0f} | {found['beyond']:.0f} | {found['beyond'] - voxels / 2**20:.0f} |",
        flush=True,
    )
    return voxels / 1e6, found["cpu"]


def _measure(slices: int, plane: int, model: str) -> dict[str, float]:
    bundle = resolve_model(model)
    run(segment(chest((16, 32, 32)), bundle))  # libraries and kernels are loaded
    source = chest((slices, plane, plane))
    before, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
    run(segment(source, bundle, SegmentSettings(device="cpu", probabilities=False)))
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "beyond": peak_mb() - before,
    }


if __name__ == "__main__":
    main()
