"""What runs on a GPU, on a real one; without one these tests are skipped.

``MEDPATCH_GPU_TEST_DEVICE=cpu`` runs what can run on a processor, to look for mistakes in the tests themselves.
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_medpatch.infer.device import free_cached_memory
from napari_medpatch.io.array_source import ArraySource

# Where the small networks of other tests lie; pytest adds only the folders of tests that it collects.
sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "infer"))

DEVICE = os.environ.get("MEDPATCH_GPU_TEST_DEVICE", "cuda")
_MEASURED: list[str] = []


@pytest.fixture(scope="session")
def device() -> str:
    """Name of the device under test."""
    if DEVICE.startswith("cuda") and not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    return DEVICE


@pytest.fixture(autouse=True)
def _needs_the_device(device: str) -> None:
    """Skip every test where the device is not."""


@pytest.fixture
def cuda(device: str) -> torch.device:
    """The device, for tests that no processor can stand in for."""
    if not device.startswith("cuda"):
        pytest.skip("only a CUDA device does this")
    return torch.device(device)


@pytest.fixture(scope="session")
def measured() -> Callable[[str], None]:
    """Note a number for the end of the run."""
    return _MEASURED.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    if _MEASURED:
        name = torch.cuda.get_device_name() if DEVICE.startswith("cuda") and torch.cuda.is_available() else DEVICE
        terminalreporter.section(f"measured on {name}, torch {torch.__version__}")
        for line in _MEASURED:
            terminalreporter.write_line(line)


@pytest.fixture
def held(cuda: torch.device) -> Callable[[], int]:
    """Return the bytes that tensors hold on the device now, without what cuBLAS keeps for itself."""

    def count() -> int:
        gc.collect()
        torch.cuda.synchronize(cuda)
        clear = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)
        if clear is not None:
            clear()
        return int(torch.cuda.memory_allocated(cuda))

    return count


@pytest.fixture
def memory_limit(cuda: torch.device) -> Iterator[Callable[[int], None]]:
    """Let torch take only so many bytes more than it holds; the limit goes when the test ends."""

    def limit(size: int) -> None:
        gc.collect()
        free_cached_memory(cuda)
        total = torch.cuda.get_device_properties(cuda).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(cuda) + size) / total)

    torch.cuda.init()
    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)
    gc.collect()
    free_cached_memory(cuda)


@pytest.fixture
def slide() -> ArraySource:
    """A slide of coloured blobs of 16 pixels, so that patches differ."""
    coarse = np.random.default_rng(0).integers(40, 250, (24, 32, 3), np.uint8)
    return ArraySource(np.kron(coarse, np.ones((16, 16, 1), np.uint8)), "slide", (0.5, 0.5))
