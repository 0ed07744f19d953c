"""A U-Net computed row by row gives what it gives at once, whatever the rows and wherever it begins."""

from collections.abc import Generator

import pytest
import said
import torch

from napari_medpatch.infer.folded_layers import fold
from napari_medpatch.infer.stream_layers import UNetStream
from napari_medpatch.models.unet import UNetConfig, build_unet


def network(config: UNetConfig, seed: int = 0) -> torch.nn.Module:
    """A network whose normalisation does something."""
    torch.manual_seed(seed)
    model = build_unet(config).eval()
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            layer.weight.data.uniform_(0.5, 2)
            layer.bias.data.normal_()
    return model


def stream_of(model: torch.nn.Module, x: torch.Tensor, chunk: int, macs: float = 1e12) -> UNetStream:
    return UNetStream(fold(model, x.dtype), lambda a, b: x[:, :, a:b], x.shape[2], x.shape[3:], chunk=chunk, macs=macs)


def finish(steps: Generator[float, None, torch.Tensor]) -> tuple[torch.Tensor, list[float]]:
    with torch.inference_mode():
        return said.finish(steps)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(
    ("levels", "convs", "channels_in", "norm"),
    [
        (1, 1, 1, "none"),
        (2, 2, 3, "batch"),
        (3, 2, 1, "batch"),
        (3, 1, 5, "none"),
        (4, 2, 1, "batch"),
        (4, 3, 1, "none"),
    ],
)
def test_all_rows_are_those_of_one_pass(dimensions: int, levels: int, convs: int, channels_in: int, norm: str) -> None:
    config = UNetConfig(dimensions, channels_in, 3, levels, 4, convs, norm)  # type: ignore[arg-type]
    model = network(config)
    x = torch.randn(2, channels_in, *(48, 16, 24)[:dimensions])
    with torch.no_grad():
        expected = model(x)
    for chunk, macs in ((1, 1e3), (4, 1e5), (16, 1e12), (64, 1e12)):
        found, _ = finish(stream_of(model, x, chunk, macs).rows(0, 48))
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert expected.abs().max() > 0.1


def test_a_sweep_that_begins_anywhere_gives_the_same_bits() -> None:
    model = network(UNetConfig(levels=3, channels=4))
    x = torch.randn(1, 1, 64, 16, 24)
    whole, _ = finish(stream_of(model, x, 4).rows(0, 64))
    for first in (0, 1, 7, 30, 63):
        stream = stream_of(model, x, 4)
        a, b = finish(stream.rows(first, min(64, first + 5), first + 3))[0], None
        assert torch.equal(a, whole[:, :, first : first + 5])
        if first + 3 < 64:
            b, _ = finish(stream.rows(first + 3, 64))
            assert torch.equal(b, whole[:, :, first + 3 :])


@pytest.mark.parametrize("again", [0, 3])
def test_nothing_is_computed_twice_in_a_sweep(again: int) -> None:
    model = network(UNetConfig(levels=3, channels=4))
    x = torch.randn(1, 1, 128, 16, 16)
    weights = fold(model, torch.float32)
    stream = stream_of(model, x, 8)
    starts = [max(0, a - again) for a in range(0, 128, 16)]
    done = sum(
        sum(finish(stream.rows(a, b + 16, b + 16 - again))[1]) for a, b in zip(starts, range(0, 128, 16), strict=True)
    )
    assert done == pytest.approx(weights.per_position(3) * x.numel(), rel=0.02)


def most_held(model: torch.nn.Module, rows: int, chunk: int) -> int:
    """Rows that wait in the skip connections of a sweep, at the worst."""
    stream = stream_of(model, torch.randn(1, 1, rows, 8, 8), chunk)
    worst = 0
    for a in range(0, rows, chunk):
        finish(stream.rows(a, a + chunk))
        worst = max(worst, stream.rows_held())
    return worst


def test_a_long_sweep_holds_no_more_than_a_short_one() -> None:
    model = network(UNetConfig(levels=3, channels=4))
    assert most_held(model, 256, 4) == most_held(model, 128, 4) < 128


@pytest.mark.parametrize("chunk", [4, 8, 16])
def test_no_layer_runs_ahead_of_the_next_by_more_than_the_networks_reach(chunk: int) -> None:
    config = UNetConfig(levels=3, channels=2)
    assert most_held(network(config), 160, chunk) <= config.halo + chunk


def test_steps_are_bounded() -> None:
    model = network(UNetConfig(levels=2, channels=4))
    x = torch.randn(1, 1, 32, 32, 32)
    _, steps = finish(stream_of(model, x, 16, macs=4e6).rows(0, 32))
    row = 32 * 32 * max(kernel.numel for stage in fold(model, x.dtype).decoder for kernel in stage)
    assert max(steps) <= max(4e6, row)
    assert len(steps) > 20


def test_bfloat16_is_close() -> None:
    model = network(UNetConfig(levels=2, channels=4))
    x = torch.randn(1, 1, 16, 16, 16)
    exact, _ = finish(stream_of(model, x, 8).rows(0, 16))
    rough, _ = finish(stream_of(model, x.bfloat16(), 8).rows(0, 16))
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.1 * exact.abs().max()


def test_other_normalisation_is_refused() -> None:
    model = build_unet(UNetConfig(norm="instance"))
    with pytest.raises(ValueError, match="cannot fold InstanceNorm3d"):
        fold(model, torch.float32)
