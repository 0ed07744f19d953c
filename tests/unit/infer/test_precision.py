from contextlib import nullcontext

import pytest
import torch

from napari_medpatch.errors import ResourceError
from napari_medpatch.infer import precision
from napari_medpatch.infer.precision import (
    autocast,
    choose_precision,
    exact_convolutions,
    native_bfloat16,
    training_precision,
)

CPU = torch.device("cpu")


def pretend(monkeypatch: pytest.MonkeyPatch, *, native: bool) -> None:
    monkeypatch.setattr(precision, "native_bfloat16", lambda device: native)


def test_results_are_float32_unless_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, native=True)
    assert choose_precision("auto", CPU) == "float32"
    assert choose_precision("bfloat16", CPU) == "bfloat16"
    assert choose_precision("float32", CPU, prefer="fast") == "float32"


def test_speed_follows_the_hardware_not_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for native, expected in ((True, "bfloat16"), (False, "float32")):
        pretend(monkeypatch, native=native)
        assert choose_precision("auto", CPU, prefer="fast") == expected


def test_unknown_precisions_are_refused() -> None:
    with pytest.raises(ResourceError, match="choose auto, float32, bfloat16"):
        choose_precision("float16", CPU)


@pytest.mark.parametrize("flag", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_either_instruction_set_is_native(monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert not native_bfloat16(CPU)
    monkeypatch.setattr(torch.cpu, flag, lambda: True)
    assert native_bfloat16(CPU)
    assert not native_bfloat16(torch.device("mps"))


def test_cuda_is_native_from_ampere_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for capability, expected in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, c=capability: c)
        assert native_bfloat16(torch.device("cuda")) is expected


def test_training_is_timed_once_and_only_where_native(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def timed() -> str:
        calls.append("timed")
        return "bfloat16"

    monkeypatch.setattr(precision, "_timed_on_cpu", timed)
    pretend(monkeypatch, native=False)
    assert training_precision(CPU) == "float32"
    assert calls == []
    pretend(monkeypatch, native=True)
    assert training_precision(CPU) == "bfloat16"
    assert training_precision(torch.device("cuda")) == "bfloat16"
    assert calls == ["timed"]


def test_the_trial_decides_once_per_process(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    # Emulated bfloat16 would take seconds.
    monkeypatch.setattr(precision, "autocast", lambda device, name: (tried.append(name), nullcontext())[1])
    precision._timed_on_cpu.cache_clear()
    first = precision._timed_on_cpu()
    assert first in ("float32", "bfloat16")
    assert precision._timed_on_cpu() == first
    assert tried == ["float32", "float32", "bfloat16", "bfloat16"]
    precision._timed_on_cpu.cache_clear()


def test_autocast_computes_in_the_precision_asked_for() -> None:
    layer, x = torch.nn.Linear(4, 4), torch.ones(1, 4)
    with autocast(CPU, "bfloat16"):
        assert layer(x).dtype == torch.bfloat16
    with autocast(CPU, "float32"):
        assert layer(x).dtype == torch.float32


def test_tensorfloat_is_off_for_exact_work_and_restored() -> None:
    switch, name, exact = precision._convolution_switch()
    before = getattr(switch, name)
    assert before != exact
    with exact_convolutions("float32"), exact_convolutions("float32"):
        assert getattr(switch, name) == exact
    with exact_convolutions("bfloat16"):
        assert getattr(switch, name) == before
    assert getattr(switch, name) == before


def test_an_older_torch_has_the_switch_under_its_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        allow_tf32 = True

    monkeypatch.setattr(torch.backends, "cudnn", Old)
    with exact_convolutions("float32"):
        assert Old.allow_tf32 is False
    assert Old.allow_tf32 is True
