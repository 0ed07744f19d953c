from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from napari_medpatch.errors import ResourceError
from napari_medpatch.events import Event, Working
from napari_medpatch.infer import device
from napari_medpatch.infer.device import (
    available_memory,
    free_cached_memory,
    giving_memory_back,
    is_out_of_memory,
    pick_device,
    pick_devices,
    telling_failures,
)
from napari_medpatch.infer.loading import load_network


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
        (RuntimeError("GET was unable to find an engine to execute this computation"), True),
        (RuntimeError("sizes of tensors must match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_told_from_other_failures(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


CUDA = torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "Memory ran out on cuda:0 while the network was training"),
        (
            RuntimeError("CUDA error: unspecified launch failure\nmore"),
            "The device cuda:0 failed .*; start the",
        ),
    ],
)
def test_what_a_device_raises_becomes_a_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(ResourceError, match=sentence), telling_failures(CUDA, "the network was training"):
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="sizes"), telling_failures(CUDA, "the network was training"):
        raise RuntimeError("sizes of tensors must match")


class Large:
    """A bundle that fits nowhere."""

    class card:  # noqa: N801
        name = "large"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def load(self, device: torch.device) -> torch.nn.Module:
        raise self.error


def test_a_model_that_does_not_fit_is_named() -> None:
    with pytest.raises(ResourceError, match="Model large does not fit into the memory of cuda:0"):
        load_network(Large(torch.OutOfMemoryError("CUDA out of memory.")), CUDA)
    with pytest.raises(RuntimeError, match="odd"):
        load_network(Large(RuntimeError("odd")), CUDA)


def test_memory_goes_back_when_a_job_ends_or_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append("freed"))

    def job() -> Iterator[Event]:
        yield Working(1)
        freed.append("ended")

    assert list(giving_memory_back(job())) == [Working(1)]
    assert freed == ["ended", "freed"]
    stopped = giving_memory_back(job())
    next(stopped)
    stopped.close()
    assert freed == ["ended", "freed", "freed"]


def test_nothing_needs_freeing_on_the_processor() -> None:
    assert free_cached_memory(torch.device("cpu")) is None
