"""Frozen networks give what the plain ones give."""

import gc

import numpy as np
import psutil
import pytest
import timm
import torch

from napari_medpatch.models.speed import accelerated, in_bfloat16, run_steadily

CPU = torch.device("cpu")


def _network(name: str = "test_resnet") -> torch.nn.Module:
    """Return a timm network whose batch statistics are not those of its start."""
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=2).train()
    with torch.no_grad():
        model(torch.randn(8, 3, 64, 64))
    return model.eval().requires_grad_(False)


def _logits(model: torch.nn.Module, count: int) -> np.ndarray:
    with torch.inference_mode():
        return run_steadily(model, torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(count))).numpy()


@pytest.mark.parametrize("name", ["test_resnet", "mobilenetv2_035", "test_efficientnet"])
def test_python_networks_are_folded(name: str) -> None:
    plain = _network(name)
    expected = {count: _logits(plain, count) for count in (1, 3, 4)}
    fast = accelerated(plain, (3, 64, 64), CPU)
    assert isinstance(fast, torch.jit.ScriptModule)
    assert "batch_norm" not in str(fast.inlined_graph)
    for count, logits in expected.items():
        np.testing.assert_allclose(_logits(fast, count), logits, atol=1e-4 * max(1, np.abs(logits).max()))


class _Heavy(torch.nn.Sequential):
    """Weights of 32 MB that folding makes constants of a program."""

    def __init__(self) -> None:
        layers = torch.nn.Conv2d(3, 8, 1), torch.nn.BatchNorm2d(8), torch.nn.Flatten(), torch.nn.Linear(8 * 64, 1 << 14)
        super().__init__(*layers)


def test_folded_networks_are_freed() -> None:
    """A day's work loads hundreds; torch keeps every program that was traced in this process for ever."""
    process, sizes = psutil.Process(), []
    for _ in range(14):
        fast = accelerated(_Heavy().eval().requires_grad_(False), (3, 8, 8), CPU)
        assert isinstance(fast, torch.jit.ScriptModule)
        del fast
        gc.collect()
        sizes.append(process.memory_info().rss)
    assert sizes[-1] - sizes[3] < 160 << 20


def test_torchscript_is_folded() -> None:
    plain = _network()
    traced = torch.jit.trace(plain, torch.zeros(1, 3, 64, 64), check_trace=False).eval()
    fast = accelerated(traced, (3, 64, 64), CPU)
    assert "batch_norm" not in str(fast.inlined_graph)
    np.testing.assert_allclose(_logits(fast, 5), _logits(plain, 5), atol=1e-4)


def test_a_network_without_batch_normalisation_stays_itself() -> None:
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten())
    assert accelerated(plain.eval(), (3, 8, 8), CPU) is plain


def test_what_cannot_be_frozen_stays_itself() -> None:
    training = torch.jit.trace(_network(), torch.zeros(1, 3, 64, 64), check_trace=False).train()
    assert accelerated(training, (3, 64, 64), CPU) is training


def test_a_network_that_tracing_would_change_stays_itself() -> None:
    class DependsOnCount(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(3)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return self.norm(batch).mean(dim=(2, 3)) * len(batch)

    plain = DependsOnCount().eval()
    assert accelerated(plain, (3, 8, 8), CPU) is plain


def test_a_network_that_fails_is_left_to_fail_when_it_is_used() -> None:
    class Fails(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(3)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    plain = Fails().eval()
    assert accelerated(plain, (3, 8, 8), CPU) is plain


def test_bfloat16_networks_take_and_give_float32(monkeypatch) -> None:
    monkeypatch.setattr("napari_medpatch.models.speed._WORTHWHILE", 0)
    expected = _logits(_network(), 3)
    half = in_bfloat16(_network(), (3, 64, 64), CPU)
    found = _logits(half, 3)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_torchscript_becomes_bfloat16_too(monkeypatch) -> None:
    monkeypatch.setattr("napari_medpatch.models.speed._WORTHWHILE", 0)
    traced = torch.jit.trace(_network(), torch.zeros(1, 3, 64, 64), check_trace=False).eval()
    half = in_bfloat16(traced, (3, 64, 64), CPU)
    np.testing.assert_allclose(_logits(half, 4), _logits(_network(), 4), atol=0.05)


def test_small_and_stubborn_networks_stay_in_float32(monkeypatch) -> None:
    class Stubborn(torch.nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("not implemented for 'BFloat16'")

    assert in_bfloat16(torch.nn.Linear(3, 2), (3, 8, 8), CPU) is None
    monkeypatch.setattr("napari_medpatch.models.speed._WORTHWHILE", 0)
    assert in_bfloat16(Stubborn(), (3, 8, 8), CPU) is None
