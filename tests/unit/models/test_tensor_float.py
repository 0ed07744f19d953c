"""TorchScript convolves in float32, whatever the tracer wrote into it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from napari_medpatch.models.speed import accelerated
from napari_medpatch.models.tensor_float import convolve_in_float32
from napari_medpatch.models.torchscript import load_script

pytestmark = pytest.mark.filterwarnings("ignore")


def _network() -> nn.Module:
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), inner).eval()


def _switches(script: nn.Module) -> list[bool]:
    return [
        list(node.inputs())[-1].toIValue()
        for part in script.modules()
        for node in part.graph.findAllNodes("aten::_convolution")  # type: ignore[union-attr, operator]
    ]


def _traced() -> nn.Module:
    traced: nn.Module = torch.jit.trace(_network(), torch.zeros(1, 3, 16, 16), check_trace=False)
    return traced


def test_torchs_tracer_writes_the_switch_down() -> None:
    assert _switches(_traced()) == [True, True], "this torch needs no convolve_in_float32 any more"


def test_every_convolution_of_a_script_is_switched_and_gives_the_same() -> None:
    script, x = _traced(), torch.randn(2, 3, 16, 16)
    convolve_in_float32(script)
    assert _switches(script) == [False, False]
    torch.testing.assert_close(script(x), _network()(x))


def test_scripts_are_switched_when_they_are_read(tmp_path: Path) -> None:
    torch.jit.save(_traced(), tmp_path / "net.pt")
    assert _switches(load_script(tmp_path / "net.pt")) == [False, False]


def test_what_is_made_faster_here_is_switched_too() -> None:
    fast = accelerated(_network(), (3, 16, 16), torch.device("cpu"))
    assert isinstance(fast, torch.jit.ScriptModule)
    assert _switches(fast) == [False, False]


def test_parts_without_a_program_are_passed_over() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    script = torch.jit.trace(Idle().eval(), torch.zeros(1, 3, 4, 4), check_trace=False)
    convolve_in_float32(script)
    assert list(script.used.graph.findAllNodes("aten::_convolution")[0].inputs())[-1].toIValue() is False
