import pytest
import torch

from napari_medpatch.errors import ResourceError
from napari_medpatch.infer import precision_probe
from napari_medpatch.infer.precision import choose_precision
from napari_medpatch.infer.precision_probe import Trial, faster_precision
from napari_medpatch.models.unet import UNetConfig

CPU = torch.device("cpu")
SMALL = UNetConfig(levels=1, channels=2)


@pytest.fixture(autouse=True)
def _forget_trials() -> None:
    precision_probe._tried.cache_clear()


def let_take(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float], *, native: bool = True) -> list[str]:
    """Replace the clock; returns the precisions that are tried."""
    tried: list[str] = []

    def fake(run: object, precision: str) -> float:
        tried.append(precision)
        return seconds[precision]

    monkeypatch.setattr(precision_probe, "_seconds", fake)
    monkeypatch.setattr(precision_probe, "native_bfloat16", lambda device: native)
    return tried


def test_the_faster_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    let_take(monkeypatch, {"float32": 3.0, "bfloat16": 1.5})
    assert faster_precision(SMALL, CPU) == Trial("bfloat16", 2.0)
    precision_probe._tried.cache_clear()
    let_take(monkeypatch, {"float32": 1.0, "bfloat16": 4.0})
    assert faster_precision(SMALL, CPU) == Trial("float32", 0.25)


def test_emulated_bfloat16_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = let_take(monkeypatch, {}, native=False)
    assert faster_precision(SMALL, CPU) == Trial("float32", None)
    assert tried == []


def test_there_is_one_trial_per_process_and_network(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = let_take(monkeypatch, {"float32": 3.0, "bfloat16": 1.0})
    before = torch.random.get_rng_state()
    faster_precision(SMALL, CPU)
    count = len(tried)
    faster_precision(SMALL, CPU)
    assert len(tried) == count > 2
    faster_precision(UNetConfig(2, levels=1, channels=2), CPU)
    assert len(tried) == 2 * count
    assert torch.equal(before, torch.random.get_rng_state()), "a trial must not change what comes out at random"


def test_a_real_trial_says_how_much_faster() -> None:
    trial = precision_probe._tried(SMALL, "cpu")
    assert trial.speedup is not None
    assert trial.speedup > 0
    assert trial.precision == ("bfloat16" if trial.speedup > 1 else "float32")


def test_fast_is_a_precision_that_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    let_take(monkeypatch, {"float32": 3.0, "bfloat16": 1.0})
    assert choose_precision("fast", CPU) == "bfloat16"
    assert choose_precision("auto", CPU) == "float32"
    with pytest.raises(ResourceError, match="choose auto, float32, bfloat16, fast"):
        choose_precision("half", CPU)
