from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data.utils import dense_patch_slices
from monai.inferers import sliding_window_inference
from said import finish
from unet_bundles import random_unet

from napari_medpatch.errors import ResourceError
from napari_medpatch.geometry import Box
from napari_medpatch.infer.runner import Runner, make_runner
from napari_medpatch.infer.window_pass import WindowPass
from napari_medpatch.infer.window_tiling import WindowTiling, window_on


class ArrayImage:
    """Network input that is an array."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.reads: list[Box] = []

    def block(self, box: Box) -> np.ndarray:
        assert box.clip(self.pixels.shape[1:]) == box, "windows ask for what exists"
        self.reads.append(box)
        return self.pixels[(slice(None), *box.slices)]


CLOSE = {"atol": 5e-4, "rtol": 1e-4}
"""Logits have the deviation 4; convolutions of other batches and memory layouts differ that little."""


def in_slabs(image: ArrayImage, tiling: WindowTiling, runner: Runner) -> torch.Tensor:
    """Run all cores, each with a row of its neighbour as interpolation wants it."""
    network = WindowPass(image, tiling, runner)
    whole = torch.zeros(0)
    for core in tiling.cores(0):
        region = Box(core.start, (min(core.stop[0] + 1, tiling.shape[0]), *core.stop[1:]))
        part, shares = finish(network.logits(region))
        assert shares == sorted(shares)
        part = part[:, : core.shape[0]]
        whole = torch.cat([whole, part], dim=1) if whole.numel() else part
    return whole


def by_monai(bundle: Any, pixels: np.ndarray, window: Any, overlap: float, mode: str) -> torch.Tensor:
    with torch.inference_mode():
        batch = torch.from_numpy(pixels)[None]
        return sliding_window_inference(batch, window, 2, bundle.load(), overlap=overlap, mode=mode)[0]


@pytest.mark.parametrize("norm", ["instance", "group"])
@pytest.mark.parametrize(
    ("shape", "window", "overlap", "mode"),
    [
        ((40, 30, 33), (16, 16, 16), 0.5, "gaussian"),
        ((40, 40, 33), (32, 16, 24), 0.25, "constant"),
        ((9, 20, 40), (16, 16, 16), 0.6, "gaussian"),
        ((16, 16, 16), (16, 16, 16), 0.5, "gaussian"),
        ((17, 5, 16), (16, 16, 16), 0.0, "gaussian"),
    ],
)
def test_windows_give_what_monai_gives(
    tmp_path: Path, norm: str, shape: tuple[int, ...], window: tuple[int, ...], overlap: float, mode: str
) -> None:
    bundle = random_unet(tmp_path / "net", network={"norm": norm})
    pixels = np.random.default_rng(0).random((1, *shape), np.float32)
    tiling = WindowTiling(shape, window, overlap, mode)
    found = in_slabs(ArrayImage(pixels), tiling, make_runner(bundle, device="cpu"))
    expected = by_monai(bundle, pixels, window, overlap, mode)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, **CLOSE)


def test_windows_of_a_picture_give_what_monai_gives(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", "segment-2d", in_channels=3, network={"norm": "instance"})
    pixels = np.random.default_rng(0).random((3, 60, 70), np.float32)
    found = in_slabs(ArrayImage(pixels), WindowTiling((60, 70), (32, 48)), make_runner(bundle, device="cpu"))
    torch.testing.assert_close(found, by_monai(bundle, pixels, (32, 48), 0.5, "gaussian"), **CLOSE)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_blended_within_their_plane_only(tmp_path: Path, axis: int) -> None:
    bundle = random_unet(tmp_path / "net", "segment-2d", network={"norm": "instance"})
    shape = [20, 24, 28]
    shape[axis] = 5
    pixels = np.random.default_rng(0).random((1, *shape), np.float32)
    window = [16, 16, 16]
    window[axis] = 1
    tiling = WindowTiling(tuple(shape), tuple(window), slice_axis=axis)
    found = in_slabs(ArrayImage(pixels), tiling, make_runner(bundle, device="cpu", slice_axis=axis))
    for index in range(5):
        expected = by_monai(bundle, pixels.take(index, axis + 1), (16, 16), 0.5, "gaussian")
        torch.testing.assert_close(found.select(axis + 1, index), expected, **CLOSE)


def test_each_window_is_computed_once_and_rows_are_dropped(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", network={"norm": "instance"})
    image = ArrayImage(np.zeros((1, 64, 16, 16), np.float32))
    tiling = WindowTiling((64, 16, 16), (16, 16, 16))
    in_slabs(image, tiling, make_runner(bundle, device="cpu"))
    assert len(image.reads) == len(set(image.reads)) == len(tiling.starts(0)) == 7


def test_going_back_or_on_after_an_error_starts_anew(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", network={"norm": "instance"})
    pixels = np.random.default_rng(0).random((1, 40, 16, 16), np.float32)
    tiling = WindowTiling((40, 16, 16), (16, 16, 16))
    network = WindowPass(ArrayImage(pixels), tiling, make_runner(bundle, device="cpu"))
    expected = by_monai(bundle, pixels, (16, 16, 16), 0.5, "gaussian")
    for rows in ((8, 24), (0, 8), (30, 40)):
        region = Box((rows[0], 0, 0), (rows[1], 16, 16))
        next(network.logits(region))  # stopped in the middle
        found, _ = finish(network.logits(region))
        torch.testing.assert_close(found, expected[:, rows[0] : rows[1]], **CLOSE)


class Narrow:
    """A runner that can hold only so many windows."""

    device = torch.device("cpu")
    precision = "float32"

    def __init__(self, most: int) -> None:
        self.most, self.released, self.sizes = most, 0, []

    def outputs(self, batch: np.ndarray) -> Generator[float, None, torch.Tensor]:
        if len(batch) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.sizes.append(len(batch))
        yield 1.0
        return torch.from_numpy(batch).repeat(1, 2, 1, 1, 1)

    def to_logits(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs

    def release(self) -> None:
        self.released += 1


def test_fewer_windows_are_taken_when_memory_runs_out() -> None:
    pixels = np.random.default_rng(0).random((1, 32, 32, 32), np.float32)
    runner = Narrow(2)
    found = in_slabs(ArrayImage(pixels), WindowTiling((32, 32, 32), (16, 16, 16)), runner)
    assert max(runner.sizes) == 2
    assert runner.released >= 1
    torch.testing.assert_close(found, torch.from_numpy(pixels).repeat(2, 1, 1, 1))


def test_a_window_too_large_for_the_memory_is_one_sentence() -> None:
    network = WindowPass(ArrayImage(np.zeros((1, 20, 16, 16))), WindowTiling((20, 16, 16), (16, 16, 16)), Narrow(0))
    with pytest.raises(ResourceError, match="16 × 16 × 16 does not fit into the memory of cpu"):
        finish(network.logits(Box((0, 0, 0), (20, 16, 16))))


def test_sums_that_do_not_fit_are_refused_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_medpatch.infer.window_pass.available_memory", lambda _device: 1000)
    network = WindowPass(ArrayImage(np.zeros((1, 20, 16, 16))), WindowTiling((20, 16, 16), (16, 16, 16)), Narrow(9))
    with pytest.raises(ResourceError, match="Blending the windows needs"):
        finish(network.logits(Box((0, 0, 0), (20, 16, 16))))


@pytest.mark.parametrize("window", [1, 5, 16])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
def test_windows_begin_where_monais_do(window: int, overlap: float) -> None:
    interval = max(1, int(window * (1 - overlap)))
    for length in range(window + 1, 45):
        expected = [part.start for (part,) in dense_patch_slices((length,), (window,), (interval,))]
        assert list(WindowTiling((length,), (window,), overlap).starts(0)) == expected


@pytest.mark.parametrize("flipped", [False, True])
def test_windows_are_counted_from_the_networks_end(flipped: bool) -> None:
    tiling = WindowTiling((50, 9), (16, 16), 0.5, flipped=(flipped, flipped))
    assert tiling.starts(0) == ((0, 2, 10, 18, 26, 34) if flipped else (0, 8, 16, 24, 32, 34))
    assert tiling.starts(1) == ((-4,) if flipped else (-3,))
    assert [core.shape[0] for core in tiling.cores(0)] == [
        b - a for a, b in zip(tiling.starts(0), (*tiling.starts(0)[1:], 50), strict=True)
    ]


def test_a_window_without_an_edge_is_the_whole_extent() -> None:
    assert window_on((500, 37), (0, 64), (32, 32)) == (512, 64)
    assert window_on((5000, 37), (0, 0), (32, 32)) == (1024, 64)
    assert window_on((3, 500, 300), (1, 0, 0), (1, 32, 32)) == (1, 512, 320)
