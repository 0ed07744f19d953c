"""One U-Net at full resolution over one volume: our job, MONAI's sliding window, and which labels differ.

    python benchmarks/volume_inference.py [--size 300 512 512] [--roi 128]

The network has 3 levels and 16 channels and was trained for half a minute. MONAI runs with overlap 0.5, Gaussian
weights, float32, one window at a time, and its defaults otherwise, torch's memory settings included. The reference is
torch itself in slabs whose margin is twice the network's reach. Every way runs in a process of its own, from a file of
HU to labels; ``peak`` is what it took beyond that volume. Prints rows of a Markdown table.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from slide_work import header, peak_mb
from volume_work import chest, in_fresh_process, unet_bundle

from napari_medpatch.events import run
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.models.preprocess import normalise_volume
from napari_medpatch.models.unet import UNetConfig

_NAMES = {
    "ours": "this package, float32",
    "fast": "this package, fast",
    "monai": "MONAI sliding_window_inference",
    "torch": "torch in slabs (reference)",
}
_SLAB = 32


def main() -> None:
    """Measure and print, or take one measurement for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, default=(300, 512, 512), metavar="N")
    parser.add_argument("--roi", type=int, default=128)
    parser.add_argument("--ways", nargs="+", choices=_NAMES, default=["torch", "ours", "fast", "monai"])
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        way, folder, roi = arguments.once
        if way == "monai":
            del os.environ["THP_MEM_ALLOC_ENABLE"]  # what this package asks for is not MONAI's default
        sys.stdout.write(json.dumps(_measure(way, Path(folder), int(roi))) + "\n")
        return
    size = " × ".join(map(str, arguments.size))
    header("Volume", f"{size} voxels | seconds | times ours | peak beyond the volume, MB | labels that differ")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "hu.npy", chest(tuple(arguments.size)).data)
        unet_bundle(folder / "net")
        found = {way: in_fresh_process(__file__, way, folder, arguments.roi) for way in arguments.ways}
        for way, one in found.items():
            ratio = one["seconds"] / found["ours"]["seconds"] if "ours" in found else float("nan")
            differ = _differences(folder, way) if "torch" in found else "not compared"
            print(
                f"| {_NAMES[way]} | {one['seconds']:.1f} | {ratio:.1f} | {one['beyond']:.0f} | {differ} |", flush=True
            )


def _differences(folder: Path, way: str) -> str:
    expected, labels = np.load(folder / "torch.npy"), np.load(folder / f"{way}.npy")
    count = int((expected != labels).sum())
    return f"{count:,}" if count < 1000 else f"{count:,} ({count / labels.size:.1e})"


def _measure(way: str, folder: Path, roi: int) -> dict[str, float]:
    """Run one way and leave its labels in the folder."""
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "ours": lambda hu: _ours(hu, folder, "auto"),
        "fast": lambda hu: _ours(hu, folder, "fast"),
        "monai": lambda hu: _monai(hu, folder, roi),
        "torch": lambda hu: _torch(hu, folder),
    }
    if way == "monai":
        import monai.inferers  # noqa: F401 - not part of what is timed
    hu = np.load(folder / "hu.npy")
    before, began = peak_mb(), time.perf_counter()
    labels = ways[way](hu)
    found = {"seconds": time.perf_counter() - began, "beyond": peak_mb() - before}
    np.save(folder / f"{way}.npy", labels)
    return found


def _ours(hu: np.ndarray, folder: Path, precision: str) -> np.ndarray:
    source = ArraySource(hu, "volume", (1.0,) * 3)
    settings = SegmentSettings(device="cpu", precision=precision, probabilities=False)
    return run(segment(source, load_bundle(folder / "net"), settings)).mask


def _monai(hu: np.ndarray, folder: Path, roi: int) -> np.ndarray:
    from monai.inferers import sliding_window_inference

    bundle = load_bundle(folder / "net")
    model = bundle.load()
    x = torch.from_numpy(normalise_volume(hu, bundle.card))[None, None]
    with torch.inference_mode():
        logits = sliding_window_inference(x, (roi,) * 3, 1, model, overlap=0.5, mode="gaussian")
        return logits.argmax(dim=1)[0].to(torch.uint8).numpy()


def _torch(hu: np.ndarray, folder: Path) -> np.ndarray:
    """Run torch's own layers on slabs with more margin than they need."""
    bundle = load_bundle(folder / "net")
    model = bundle.load().to(memory_format=torch.channels_last_3d)
    config = UNetConfig(levels=3, channels=16)
    canvas = [-(-n // config.multiple) * config.multiple for n in hu.shape]
    x = np.zeros(canvas, np.float32)
    x[tuple(slice(n) for n in hu.shape)] = normalise_volume(hu, bundle.card)
    labels = np.zeros(canvas, np.uint8)
    with torch.inference_mode():
        for a in range(0, canvas[0], _SLAB):
            lo, hi = max(0, a - 2 * config.halo), min(canvas[0], a + _SLAB + 2 * config.halo)
            logits = model(torch.from_numpy(x[lo:hi])[None, None].contiguous(memory_format=torch.channels_last_3d))
            labels[a : a + _SLAB] = logits.argmax(dim=1)[0, a - lo : a - lo + _SLAB].to(torch.uint8).numpy()
    return labels[tuple(slice(n) for n in hu.shape)]


if __name__ == "__main__":
    main()
