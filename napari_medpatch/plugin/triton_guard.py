"""Keeps torch and Mesa's OpenGL driver from crashing each other."""

import sys
from pathlib import Path

_MESA = ("libLLVM", "libgallium", "_dri.so")


def keep_triton_out() -> None:
    """Let torch do without triton in a process that draws through Mesa.

    Mesa's driver and triton each bring an LLVM library; loading the second one crashes the process
    (seen with Mesa 22 and triton 3.9: segmentation fault on ``import triton``). torch imports triton
    when it is there, but only ``torch.compile`` needs it, which MedPatch does not use. Drivers without
    LLVM, such as NVIDIA's, are left alone, and so is a triton that is loaded already.
    """
    if "triton" not in sys.modules and draws_through_mesa():
        sys.modules["triton"] = None  # type: ignore[assignment]


def draws_through_mesa(maps: Path = Path("/proc/self/maps")) -> bool:
    """Return whether Mesa's driver is loaded; only Linux can tell, and only Linux has triton."""
    try:
        loaded = maps.read_text(errors="replace")
    except OSError:
        return False
    return any(name in loaded for name in _MESA)
