"""Which precision is faster for a network, measured on the device with a small input.

Only where the hardware multiplies bfloat16 itself is there a trial: emulated, it loses by far. A trial is made once
per process, device and network.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_medpatch.infer.device import available_memory
from napari_medpatch.infer.precision import Precision, autocast, exact_convolutions, native_bfloat16

if TYPE_CHECKING:
    import torch

    from napari_medpatch.models.unet import UNetConfig

_EDGE = {"cpu": {2: 192, 3: 32}, "cuda": {2: 1024, 3: 112}}
"""On an accelerator small inputs measure how fast the processor gives orders, in which bfloat16 loses."""
_BYTES_PER_CHANNEL = 80
"""Of one voxel in a trial, for the finest level; no more than a quarter of what is free."""
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial found.

    Parameters
    ----------
    precision : str
        The faster one.
    speedup : float or None
        Time in float32 by time in bfloat16; None if bfloat16 is not native.
    """

    precision: Precision
    speedup: float | None


def faster_precision(config: "UNetConfig", device: "torch.device") -> Trial:
    """Return the precision in which a U-Net of this shape runs faster on a device."""
    if not native_bfloat16(device):
        return Trial("float32", None)
    return _tried(config, str(device))


@lru_cache(maxsize=16)
def _tried(config: "UNetConfig", device_name: str) -> Trial:
    import torch

    from napari_medpatch.models.unet import build_unet

    device = torch.device(device_name)
    state = torch.random.get_rng_state()
    layout = torch.channels_last_3d if config.dimensions == 3 else torch.channels_last
    model = build_unet(config).eval().to(device).to(memory_format=layout)
    torch.random.set_rng_state(state)
    edge = _edge(config, device)
    cube = torch.zeros(1, config.in_channels, *(edge,) * config.dimensions, device=device)
    cube = cube.contiguous(memory_format=layout)

    def run(precision: Precision) -> None:
        with torch.inference_mode(), exact_convolutions(precision), autocast(device, precision):
            model(cube)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    # Taken in turns, so that another program's load strikes both.
    times: dict[Precision, list[float]] = {"float32": [], "bfloat16": []}
    for _ in range(_ROUNDS):
        for precision, taken in times.items():
            taken.append(_seconds(run, precision))
    # The first of each compiles and allocates.
    speedup = min(times["float32"][1:]) / min(times["bfloat16"][1:])
    return Trial("bfloat16" if speedup > 1 else "float32", round(speedup, 2))


def _edge(config: "UNetConfig", device: "torch.device") -> int:
    """Return the edge of the trial's input."""
    wanted = _EDGE.get(device.type, _EDGE["cpu"])[config.dimensions]
    room = available_memory(device) / 4 / (_BYTES_PER_CHANNEL * config.channels)
    fits = min(wanted, int(room ** (1 / config.dimensions)))
    return max(1, -(-fits // config.multiple)) * config.multiple


def _seconds(run: Callable[[Precision], None], precision: Precision) -> float:
    began = time.perf_counter()
    run(precision)
    return time.perf_counter() - began
