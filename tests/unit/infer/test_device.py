from pathlib import Path

import pytest
import torch

from napari_medpatch.errors import ResourceError
from napari_medpatch.infer import device
from napari_medpatch.infer.device import (
    available_memory,
    free_cached_memory,
    is_out_of_memory,
    pick_device,
    pick_devices,
)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_auto_takes_the_best_there_is(no_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device() == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device("auto") == torch.device("mps")
    assert pick_device("mps") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == torch.device("cuda")


def test_named_devices_must_exist(no_gpu: None) -> None:
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(ResourceError, match="no CUDA device"):
        pick_device("cuda")
    with pytest.raises(ResourceError, match="no MPS device"):
        pick_device("mps")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "mps:0", "", "xpu"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(ResourceError, match="choose auto, cpu"):
        pick_device(name)


def test_devices_are_counted_from_0(two_gpus: None) -> None:
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ResourceError, match=r"'cuda:2': this machine has 2"):
        pick_device("cuda:2")


def test_several_devices_are_named_with_commas(two_gpus: None) -> None:
    assert pick_devices("cuda:all") == (torch.device("cuda", 0), torch.device("cuda", 1))
    assert pick_devices("cuda:1, cpu") == (torch.device("cuda", 1), torch.device("cpu"))
    assert pick_devices("cpu,cpu") == (torch.device("cpu"),) * 2
    with pytest.raises(ResourceError, match="'cuda:2'"):
        pick_devices("cuda:0,cuda:2")


def test_all_of_none_is_refused(no_gpu: None) -> None:
    with pytest.raises(ResourceError, match="no CUDA device"):
        pick_devices("cuda:all")


def test_a_container_limits_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(device, "_CGROUP", tmp_path)
    free = available_memory(cpu)
    assert free > 1 << 20
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert available_memory(cpu) == 2000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(cpu) > 2000


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("could not allocate tensor"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("sizes of tensors must match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_told_from_other_failures(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_nothing_needs_freeing_on_the_processor() -> None:
    assert free_cached_memory(torch.device("cpu")) is None
