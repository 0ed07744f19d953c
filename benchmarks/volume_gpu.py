"""Voxels per second of a 3D U-Net on a GPU: float32 and bfloat16, both layouts, with and without ``torch.compile``.

    python benchmarks/volume_gpu.py [--edge 192] [--channels 32] [--levels 4] [--seconds N]

The network alone runs on a cube in the GPU's memory, in torch's default layout and with channels last, and compiled
with channels last; then the whole job on a simulated chest, at the volume's own resolution. Says so and ends if torch
sees no CUDA device.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from slide_work import header
from torch import nn
from volume_work import chest, unet_bundle

from napari_medpatch.events import run
from napari_medpatch.infer.precision import Precision, autocast, exact_convolutions
from napari_medpatch.infer.segment import SegmentSettings, segment

_PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def main() -> None:
    """Measure and print, if there is something to measure on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", type=int, default=192)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", type=int, nargs=3, default=(300, 512, 512), metavar="N", help="of the chest")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("No CUDA device: nothing was measured.")
        return
    header("GPU", "what | precision | Mvoxel/s, default layout | channels last | compiled")
    with tempfile.TemporaryDirectory() as folder:
        bundle = unet_bundle(Path(folder) / "net", levels=arguments.levels, channels=arguments.channels)
        cube = torch.rand(1, 1, *(arguments.edge,) * 3, device="cuda")
        last = torch.channels_last_3d
        for precision in _PRECISIONS:
            model = bundle.load(torch.device("cuda"))
            rates = [_rate(model, cube, precision, arguments.seconds)]
            model, cube_last = model.to(memory_format=last), cube.contiguous(memory_format=last)
            rates += [_rate(each, cube_last, precision, arguments.seconds) for each in (model, torch.compile(model))]
            cells = " | ".join(f"{rate:.0f}" for rate in rates)
            print(f"| network, {arguments.edge}³ | {precision} | {cells} |", flush=True)
        source = chest(tuple(arguments.size))
        for precision in _PRECISIONS:
            settings = SegmentSettings(device="cuda", precision=precision, probabilities=False)
            run(segment(source, bundle, settings))
            seconds = run(segment(source, bundle, settings)).seconds
            rate = source.data.size / seconds / 1e6
            print(f"| job, {' × '.join(map(str, arguments.size))} | {precision} | – | {rate:.0f} | – |", flush=True)


def _rate(
    model: "nn.Module | Callable[..., torch.Tensor]", cube: torch.Tensor, precision: Precision, seconds: float
) -> float:
    """Return millions of voxels per second after three passes."""

    def step() -> None:
        with torch.inference_mode(), exact_convolutions(precision), autocast(cube.device, precision):
            model(cube)
        torch.cuda.synchronize()

    for _ in range(3):
        step()
    began, passes = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step()
        passes += 1
    return passes * cube.numel() / (time.perf_counter() - began) / 1e6


if __name__ == "__main__":
    main()
