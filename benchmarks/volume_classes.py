"""Memory and time of a segmentation against the number of classes, at a working resolution of 3 mm.

    python benchmarks/volume_classes.py [--classes 2 21 105] [--size 300 512 512]

An untrained U-Net of 4 levels and 16 channels on a simulated chest; each number of classes in a process of its own.
``beyond`` is what the process took beyond the volume, the mask included. Prints rows of a Markdown table.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from slide_work import header, peak_mb
from volume_work import chest, in_fresh_process

from napari_medpatch.events import run
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.models.bundle import Bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network


def main() -> None:
    """Measure and print, or take one measurement for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 21, 105])
    parser.add_argument("--size", type=int, nargs=3, default=(300, 512, 512), metavar="N")
    parser.add_argument("--once", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        sys.stdout.write(json.dumps(_measure(arguments.once, tuple(arguments.size))) + "\n")
        return
    header("Classes", "classes | seconds | beyond the volume, MB | all classes as floats, MB")
    for count in arguments.classes:
        found = in_fresh_process(__file__, count, "--size", *arguments.size)
        print(f"| {count} | {found['seconds']:.1f} | {found['beyond']:,.0f} | {found['floats']:,.0f} |", flush=True)


def _measure(count: int, shape: tuple[int, int, int]) -> dict[str, float]:
    source = chest(shape)
    with tempfile.TemporaryDirectory() as folder:
        bundle = _bundle(Path(folder) / "many", count)
        before, began = peak_mb(), time.perf_counter()
        result = run(segment(source, bundle, SegmentSettings(device="cpu", probabilities=False)))
        seconds, beyond = time.perf_counter() - began, peak_mb() - before
    return {"seconds": seconds, "beyond": beyond, "floats": count * result.mask.size * 4 / 2**20}


def _bundle(folder: Path, count: int) -> Bundle:
    card = ModelCard(
        folder.name,
        "segment-3d",
        "unet",
        ("background", *(f"organ {number}" for number in range(1, count))),
        spacing=(3.0,) * 3,
        spacing_unit="mm",
        in_channels=1,
        intensity={"kind": "hu_window", "low": -1000, "high": 400},
        network={"levels": 4, "channels": 16},
    )
    torch.manual_seed(0)
    return save_bundle(folder, card, build_network(card).eval())


if __name__ == "__main__":
    main()
