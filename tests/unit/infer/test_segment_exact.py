"""However a volume is worked through, the mask is the one of a single pass."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unet_bundles import random_unet
from volumes_of_noise import logits_of_one_pass, noise, sweep_in_slabs

from napari_medpatch.errors import ResourceError
from napari_medpatch.events import BlockSegmented, Started, run
from napari_medpatch.geometry import Box
from napari_medpatch.infer import unet_runner
from napari_medpatch.infer.network_pass import network_pass
from napari_medpatch.infer.network_stream import NetworkStream
from napari_medpatch.infer.overlap import decider
from napari_medpatch.infer.piece_maker import PieceMaker
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.infer.segment_plan import plan_segmentation
from napari_medpatch.infer.unet_runner import UNetRunner
from napari_medpatch.steps import finish

MM = {"spacing": (1.0, 1.0, 1.0), "spacing_unit": "mm"}
SHAPES = [((45, 33, 27), (1.0, 1.0, 1.0)), ((21, 40, 37), (3.0, 0.8, 0.9)), ((70, 9, 31), (0.6, 1.7, 1.0))]


def logits_of(network: Any, region: Box) -> np.ndarray:
    return finish(network.logits(region)).numpy()


@pytest.mark.parametrize(("shape", "spacing"), SHAPES)
@pytest.mark.parametrize("levels", [2, 3, 4])
def test_a_sweep_gives_the_logits_and_labels_of_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, levels: int, shape: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    sweep_in_slabs(monkeypatch, 6000)
    bundle, source = random_unet(tmp_path / "net", levels=levels, **MM), noise(shape, spacing)
    whole = logits_of_one_pass(source, bundle)
    plan = plan_segmentation(source, bundle.card)
    list(plan.image.prepare())
    network = network_pass(plan, UNetRunner(bundle), 2)
    assert network.kind == "sweep"
    cores = [plan.output.working_box(plan.output.source_box(core)) for core in network.cores()]
    worst = max(float(np.abs(logits_of(network, core) - whole[(slice(None), *core.slices)]).max()) for core in cores)
    assert len(cores) > 3
    assert np.abs(whole).max() > 1
    assert worst <= 1e-4
    maker = PieceMaker(plan, 1, None, maps=True, uncertainty=True, air_edge=None, decide=decider(bundle.card))
    box = Box.whole(shape)
    expected = maker.make(box, whole[1:] - whole[:1], Box.whole(plan.tiling.shape))
    result = run(segment(source, bundle, SegmentSettings(uncertainty=True)))
    assert result.provenance["pass"] == "sweep"
    assert np.array_equal(result.mask, expected.labels)
    assert 0.02 < result.mask.mean() < 0.98
    assert np.abs(result.probabilities.astype(int) - expected.probabilities).max() <= 1
    assert np.abs(result.uncertainty.astype(int) - expected.uncertainty).max() <= 1


def test_where_a_job_begins_changes_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep_in_slabs(monkeypatch, 5000)
    bundle, source = random_unet(tmp_path / "net", **MM), noise((40, 33, 27), (1.3, 1.0, 1.0))
    plain = run(segment(source, bundle))
    events = list(segment(source, bundle, SegmentSettings(first=(25.0, 4.0, 9.0))))
    boxes = [event.box for event in events if isinstance(event, BlockSegmented)]
    starts = [box.start[0] for box in boxes]
    assert boxes[0].start[0] <= 25 < boxes[0].stop[0]
    assert sorted(starts[: starts.index(0)]) == starts[: starts.index(0)]
    assert sum(box.size for box in boxes) == plain.mask.size
    assert np.array_equal(events[-1].result.mask, plain.mask)
    assert np.array_equal(events[-1].result.probabilities, plain.probabilities)


def test_narrow_columns_give_the_same_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep_in_slabs(monkeypatch, 5000)
    bundle, source = random_unet(tmp_path / "net", levels=2), noise((24, 70, 61))
    wide = list(segment(source, bundle))
    monkeypatch.setattr(unet_runner, "_SWEEP_BYTES", 1_600_000)
    narrow = list(segment(source, bundle))
    columns = {event.box.start[1:] for event in narrow if isinstance(event, BlockSegmented)}
    assert len(columns) > 1
    assert np.array_equal(narrow[-1].result.mask, wide[-1].result.mask)


def limit_plane(monkeypatch: pytest.MonkeyPatch, voxels: int) -> None:
    """Let sweeps of wider planes fail as they do where memory is short."""
    real = NetworkStream.__init__

    def limited(self: NetworkStream, weights: Any, read: Any, size: int, plane: Any, **others: Any) -> None:
        if np.prod(plane) > voxels:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] . DefaultCPUAllocator: can't allocate memory")
        real(self, weights, read, size, plane, **others)

    monkeypatch.setattr(NetworkStream, "__init__", limited)


def test_a_sweep_gets_narrower_when_memory_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep_in_slabs(monkeypatch, 8000)
    bundle, source = random_unet(tmp_path / "net", levels=2), noise((20, 64, 40))
    expected = run(segment(source, bundle)).mask
    limit_plane(monkeypatch, 1700)
    events = list(segment(source, bundle))
    assert np.array_equal(events[-1].result.mask, expected)
    blocks = [event for event in events if isinstance(event, BlockSegmented)]
    assert sum(event.box.size for event in blocks) == expected.size
    assert len({event.box.start[1] for event in blocks}) > 1
    started = next(event for event in events if isinstance(event, Started))
    assert blocks[-1].done == started.total
    limit_plane(monkeypatch, 0)
    with pytest.raises(ResourceError, match="smallest block"):
        run(segment(source, bundle))


def test_a_small_grid_is_computed_once_and_by_blocks_if_it_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_medpatch.infer.network_pass._SLAB_VOXELS", 5000)
    bundle, source = random_unet(tmp_path / "net", levels=2), noise((40, 24, 24))
    calls: list[tuple[int, ...]] = []
    real = UNetRunner.logits

    def watched(self: UNetRunner, block: np.ndarray, most: int = 10**9) -> Any:
        calls.append(block.shape)
        if block.size > most:
            raise MemoryError
        return real(self, block)

    monkeypatch.setattr(UNetRunner, "logits", watched)
    result = run(segment(source, bundle, SegmentSettings(first=(20.0, 0.0, 0.0))))
    assert result.provenance["pass"] == "once"
    assert result.provenance["blocks"] > 3
    assert calls == [(1, 40, 24, 24)]
    monkeypatch.setattr(UNetRunner, "logits", lambda self, block: watched(self, block, 20_000))
    again = run(segment(source, bundle))
    assert np.array_equal(again.mask, result.mask)
    assert calls[1] == (1, 40, 24, 24)
    assert max(np.prod(shape) for shape in calls[2:]) < 40 * 24 * 24
