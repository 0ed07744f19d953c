"""A segmentation that was stopped goes on where it was, and ends with the bits of an unbroken one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unet_bundles import random_unet
from volumes_of_noise import noise, sweep_in_slabs

from napari_medpatch.errors import OutputError
from napari_medpatch.events import BlockSegmented, Event, Noted, Started, run
from napari_medpatch.infer import block_store, piece_maker, segment_run
from napari_medpatch.infer.block_store import has_blocks, remove_blocks
from napari_medpatch.infer.network_stream import NetworkStream
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import Bundle

SETTINGS = SegmentSettings(uncertainty=True)
SHAPE = (40, 33, 27)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A network that sweeps over small volumes in ten slabs, whose blocks are written at once."""
    sweep_in_slabs(monkeypatch, 5000)
    monkeypatch.setattr(block_store, "_EVERY_SECONDS", -1.0)
    return random_unet(tmp_path / "net", levels=2, class_names=("background", "a", "b"))


def stopped(source: ArraySource, bundle: Bundle, parts: Path, blocks: int, settings: Any = SETTINGS) -> list[Event]:
    """Close a job after some blocks."""
    job, events = segment(source, bundle, settings, parts=parts), []
    while sum(isinstance(event, BlockSegmented) for event in events) < blocks:
        events.append(next(job))
    job.close()  # type: ignore[attr-defined]
    return events


def known_blocks(events: list[Event]) -> int:
    return next(event for event in events if isinstance(event, Started)).done


def test_only_what_is_missing_is_computed_and_the_result_is_the_same(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, parts = noise(SHAPE), tmp_path / "mask.parts"
    whole = run(segment(source, bundle, SETTINGS))
    stopped(source, bundle, parts, 4)
    rows: list[tuple[int, int]] = []
    real = NetworkStream.rows
    monkeypatch.setattr(NetworkStream, "rows", lambda self, a, b, then: rows.append((a, b)) or real(self, a, b, then))
    events = list(segment(source, bundle, SETTINGS, parts=parts))
    assert known_blocks(events) == 4
    assert "4 of 10 blocks were finished by an earlier run" in next(e for e in events if isinstance(e, Noted)).message
    assert len(rows) == 6
    assert sum(event.box.size for event in events if isinstance(event, BlockSegmented)) == np.prod(SHAPE)
    result = events[-1].result
    assert (result.provenance["resumed_blocks"], result.provenance["blocks"]) == (4, 10)
    assert np.array_equal(result.mask, whole.mask)
    assert np.array_equal(result.probabilities, whole.probabilities)
    assert np.array_equal(result.uncertainty, whole.uncertainty)
    remove_blocks(parts)
    assert not parts.exists()


@pytest.mark.parametrize(("patience", "kept"), [(60.0, 4), (0.0, 0)])
def test_a_block_of_several_pieces_is_finished_before_it_stops_unless_that_takes_long(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, patience: float, kept: int
) -> None:
    monkeypatch.setattr(piece_maker, "_PIECE_VOXELS", 2 * 33 * 27)  # a row of two classes
    monkeypatch.setattr(segment_run, "_LAST_PIECES_S", patience)
    source, parts = noise(SHAPE), tmp_path / "mask.parts"
    stopped(source, bundle, parts, 1)
    assert has_blocks(parts) == bool(kept)
    events = list(segment(source, bundle, SETTINGS, parts=parts))
    assert known_blocks(events) == kept, "four rows are a slab"
    monkeypatch.undo()
    assert np.array_equal(events[-1].result.mask, run(segment(source, bundle, SETTINGS)).mask)


def test_a_finished_run_is_read_back_until_its_result_is_safe(tmp_path: Path, bundle: Bundle) -> None:
    source, parts = noise(SHAPE), tmp_path / "mask.parts"
    first = run(segment(source, bundle, SETTINGS, parts=parts))
    events = list(segment(source, bundle, SETTINGS, parts=parts))
    assert known_blocks(events) == events[0].total
    assert np.array_equal(events[-1].result.mask, first.mask)


@pytest.mark.parametrize(
    "change",
    [
        {"source": noise(SHAPE, seed=1)},
        {"source": noise(SHAPE, (1.0, 1.0, 2.0))},
        {"settings": SegmentSettings(uncertainty=True, threshold=0.7)},
        {"settings": SegmentSettings(uncertainty=False)},
        {"settings": SegmentSettings(uncertainty=True, precision="bfloat16")},
        {"settings": SegmentSettings(uncertainty=True, resume=False)},
        {"model": 1},
    ],
    ids=["pixels", "spacing", "threshold", "outputs", "precision", "no resume", "weights"],
)
def test_another_run_starts_afresh(tmp_path: Path, bundle: Bundle, change: dict[str, Any]) -> None:
    parts = tmp_path / "mask.parts"
    stopped(noise(SHAPE), bundle, parts, 4)
    source, settings = change.get("source", noise(SHAPE)), change.get("settings", SETTINGS)
    other = bundle
    if "model" in change:
        other = random_unet(tmp_path / "other", levels=2, class_names=("background", "a", "b"), seed=1)
    events = list(segment(source, other, settings, parts=parts))
    assert known_blocks(events) == 0
    expected = run(segment(source, other, settings))
    assert np.array_equal(events[-1].result.mask, expected.mask)


def test_where_the_user_looks_does_not_matter_for_resuming(tmp_path: Path, bundle: Bundle) -> None:
    parts = tmp_path / "mask.parts"
    stopped(noise(SHAPE), bundle, parts, 4, SegmentSettings(uncertainty=True, first=(30.0, 0.0, 0.0)))
    events = list(segment(noise(SHAPE), bundle, SETTINGS, parts=parts))
    assert known_blocks(events) == 4
    assert np.array_equal(events[-1].result.mask, run(segment(noise(SHAPE), bundle, SETTINGS)).mask)


def test_damaged_blocks_are_computed_again(tmp_path: Path, bundle: Bundle) -> None:
    source, parts = noise(SHAPE), tmp_path / "mask.parts"
    stopped(source, bundle, parts, 5)
    paths = sorted(parts.glob("block-*.npz"))
    assert len(paths) == 5
    paths[0].write_bytes(paths[0].read_bytes()[:-30])
    paths[1].write_bytes(b"nothing")
    (parts / ".tmp-half").write_bytes(b"x")
    events = list(segment(source, bundle, SETTINGS, parts=parts))
    assert known_blocks(events) == 3
    assert np.array_equal(events[-1].result.mask, run(segment(source, bundle, SETTINGS)).mask)
    remove_blocks(parts)
    assert not parts.exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="in the way"):
        run(segment(noise(SHAPE), bundle, SETTINGS, parts=tmp_path / "file"))


def test_strange_files_among_the_blocks_are_left_alone(tmp_path: Path, bundle: Bundle) -> None:
    parts = tmp_path / "mask.parts"
    stopped(noise(SHAPE), bundle, parts, 3)
    (parts / "notes.txt").write_text("mine")
    remove_blocks(parts)
    assert [path.name for path in parts.iterdir()] == ["notes.txt"]
