"""float32 or bfloat16.

Unless the user asks for ``fast``, the rule depends on the hardware only, never on a clock, so that the window and
the command line give identical results on one machine:

- *results* (masks, exact scores): ``auto`` is float32. bfloat16 changes the class of about
  4e-4 of the voxels of a trained U-Net, as much as blending overlapped windows does.
- *speed* (live previews, training, patch classifiers unless they are to be exact): ``auto`` is
  bfloat16 where the hardware multiplies it natively (AVX-512 BF16, AMX, CUDA from Ampere on); elsewhere it
  is emulated and slower than float32. On processors a classifier must score a sample of patches as in
  float32, see :mod:`napari_medpatch.infer.precision_gate`.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from napari_medpatch.errors import ResourceError

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16"]
PRECISIONS = ("auto", "float32", "bfloat16", "fast")


def choose_precision(name: str, device: "torch.device", *, prefer: Literal["exact", "fast"] = "exact") -> Precision:
    """Turn a setting into a precision.

    Parameters
    ----------
    name : str
        ``"auto"``, ``"float32"``, ``"bfloat16"``, or ``"fast"``: bfloat16 where a trial finds it faster.
    device : torch.device
        Where the model runs.
    prefer : str
        What ``auto`` means: ``"exact"`` is float32, ``"fast"`` is bfloat16 where it is native.

    Raises
    ------
    ResourceError
        If the name is unknown.
    """
    if name == "auto":
        return "bfloat16" if prefer == "fast" and native_bfloat16(device) else "float32"
    if name == "float32" or name == "bfloat16":
        return "float32" if name == "float32" else "bfloat16"
    if name == "fast":
        from napari_medpatch.infer.precision_probe import faster_precision
        from napari_medpatch.models.unet import UNetConfig

        return faster_precision(UNetConfig(), device).precision
    raise ResourceError(f"There is no precision {name!r}; choose {', '.join(PRECISIONS)}.")


def native_bfloat16(device: "torch.device") -> bool:
    """Whether the hardware multiplies bfloat16 itself."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    # Private names, so a torch without them counts as a processor without the instructions.
    flags = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, flag, bool)()) for flag in flags)


def training_precision(device: "torch.device") -> Precision:
    """Return the faster precision for training on this machine; timed once per process on the CPU.

    Only where bfloat16 is native is it worth a trial: emulated, it loses by far.
    """
    if not native_bfloat16(device):
        return "float32"
    return "bfloat16" if device.type == "cuda" else _timed_on_cpu()


def autocast(device: "torch.device", precision: Precision) -> AbstractContextManager[object]:
    """Return the context in which a model runs in ``precision``; its weights stay float32."""
    import torch

    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@contextmanager
def exact_convolutions(precision: Precision) -> Iterator[None]:
    """Keep CUDA from rounding float32 convolutions to TensorFloat-32, so that tiles agree to 1e-4.

    The switch is one for the whole process: it is set back when the last of several threads is through.
    """
    if precision != "float32":
        yield
        return
    _tensor_float.enter()
    try:
        yield
    finally:
        _tensor_float.leave()


class _TensorFloat:
    """TensorFloat-32 for convolutions, off while anybody needs float32."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: str | bool = True

    def enter(self) -> None:
        with self._lock:
            if self._users == 0:
                switch, name, exact = _convolution_switch()
                self._before = getattr(switch, name)
                setattr(switch, name, exact)
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                switch, name, _ = _convolution_switch()
                setattr(switch, name, self._before)


def _convolution_switch() -> tuple[object, str, str | bool]:
    """Return an object, its attribute and the value that keeps float32; torch 2.9 renamed it and scolds at the old."""
    import torch

    cudnn = torch.backends.cudnn
    if hasattr(cudnn, "conv"):
        return cudnn.conv, "fp32_precision", "ieee"
    return cudnn, "allow_tf32", False


_tensor_float = _TensorFloat()


@lru_cache(maxsize=1)
def _timed_on_cpu() -> Precision:
    """Time one small training step in each precision, the second of two runs."""
    import torch

    from napari_medpatch.models.unet import UNetConfig, build_unet

    model = build_unet(UNetConfig(levels=2, channels=8))
    cube = torch.zeros(1, 1, 32, 32, 32)
    seconds: dict[Precision, float] = {}
    choices: tuple[Precision, Precision] = ("float32", "bfloat16")
    for precision in choices:
        for _ in range(2):
            start = time.perf_counter()
            with autocast(torch.device("cpu"), precision):
                loss = model(cube).float().mean()
            loss.backward()
            seconds[precision] = time.perf_counter() - start
    return min(choices, key=lambda choice: seconds[choice])
