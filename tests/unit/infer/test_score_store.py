"""Scores kept while a run is under way."""

import json

import numpy as np
import pytest

from napari_medpatch.errors import OutputError
from napari_medpatch.infer.score_store import ScoreStore, in_whole_batches, read_record


def _some(first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    keys = np.stack([np.arange(first, first + count), np.zeros(count, int)], axis=1)
    return keys, np.full((count, 2), first, np.float32)


def test_parts_come_back_to_the_same_run(tmp_path) -> None:
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    for first, count in ((0, 3), (3, 2)):
        store.add(*_some(first, count))
        store.flush()
    keys, values = ScoreStore(tmp_path / "s", "run-a", 2).load()
    assert keys[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert values[:, 1].tolist() == [0, 0, 0, 3, 3]


def test_nothing_is_written_before_there_is_something(tmp_path) -> None:
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    store.flush()
    assert not (tmp_path / "s").exists()
    assert store.load()[0].shape == (0, 2)


@pytest.mark.parametrize(("fingerprint", "resume"), [("run-b", True), ("run-a", False)])
def test_parts_of_another_run_are_dropped(tmp_path, fingerprint, resume) -> None:
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    store.add(*_some(0, 3))
    store.flush()
    assert len(ScoreStore(tmp_path / "s", fingerprint, 2, resume=resume).load()[0]) == 0
    assert not (tmp_path / "s").exists()


def test_added_scores_are_written_without_being_asked_after_a_while(tmp_path, monkeypatch) -> None:
    clock = iter([0.0, 1.0, 4.0, 4.0])
    monkeypatch.setattr("napari_medpatch.infer.score_store.time.monotonic", lambda: next(clock))
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    store.add(*_some(0, 1))
    assert not (tmp_path / "s").exists()
    store.add(*_some(1, 1))
    assert len(list((tmp_path / "s").glob("part-*.npz"))) == 1


def test_a_damaged_part_is_scored_again(tmp_path) -> None:
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    for first in (0, 1, 2):
        store.add(*_some(first, 1))
        store.flush()
    (tmp_path / "s" / "part-000000.npz").write_bytes(b"PK\x03\x04 half a file")
    np.savez(tmp_path / "s" / "part-000001.npz", cells=np.zeros((1, 2), int), scores=np.zeros((1, 7)))
    assert ScoreStore(tmp_path / "s", "run-a", 2).load()[0].tolist() == [[2, 0]]


def test_remove_leaves_what_is_not_ours(tmp_path) -> None:
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    store.add(*_some(0, 1))
    store.flush()
    (tmp_path / "s" / "notes.txt").write_text("mine")
    store.remove()
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["notes.txt"]


def test_without_a_folder_nothing_is_kept() -> None:
    store = ScoreStore(None, "run-a", 2)
    store.add(*_some(0, 1))
    store.flush()
    store.remove()
    assert len(store.load()[0]) == 0


def test_a_file_in_the_way_is_an_output_error(tmp_path) -> None:
    (tmp_path / "s").write_text("")
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    store.add(*_some(0, 1))
    with pytest.raises(OutputError, match="in the way"):
        store.flush()


@pytest.mark.parametrize("text", ["", "[1]", "{bad", "null"])
def test_a_damaged_record_counts_as_none(tmp_path, text) -> None:
    (tmp_path / "run.json").write_text(text)
    assert read_record(tmp_path / "run.json") == {}
    (tmp_path / "run.json").write_text(json.dumps({"a": 1}))
    assert read_record(tmp_path / "run.json") == {"a": 1}


def test_a_run_that_goes_on_learns_the_size_of_the_batches(tmp_path) -> None:
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    assert store.batch_size("cpu") is None
    store.describe("cpu", 7, "float32")
    store.add(*_some(0, 1))
    store.flush()
    again = ScoreStore(tmp_path / "s", "run-a", 2)
    assert again.batch_size("cpu") == 7
    assert again.batch_size("cuda") is None, "another device has batches of its own"
    again.describe("cuda", 64, "float32")
    again.add(*_some(1, 1))
    again.flush()
    third = ScoreStore(tmp_path / "s", "run-a", 2)
    assert (third.batch_size("cpu"), third.batch_size("cuda")) == (7, 64)
    assert len(third.load()[0]) == 2
    assert ScoreStore(tmp_path / "s", "run-b", 2).batch_size("cpu") is None


def test_scores_of_another_precision_are_not_mixed_in(tmp_path) -> None:
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    store.describe("cuda", 64, "bfloat16")
    store.add(*_some(0, 1))
    store.flush()
    again = ScoreStore(tmp_path / "s", "run-a", 2)
    again.describe("cpu", 4, "float32")
    assert len(again.load()[0]) == 0
    again.add(*_some(1, 1))
    again.flush()
    assert ScoreStore(tmp_path / "s", "run-a", 2).load()[0].tolist() == [[1, 0]]


def test_the_level_that_was_read_stays_the_same(tmp_path) -> None:
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    assert store.level() is None
    store.keep_level(2)
    store.add(*_some(0, 1))
    store.flush()
    again = ScoreStore(tmp_path / "s", "run-a", 2)
    assert again.level() == 2
    again.add(*_some(1, 1))
    again.flush()
    assert ScoreStore(tmp_path / "s", "run-a", 2).level() == 2
    assert ScoreStore(None, "run-a", 2).level() is None


def test_a_killed_process_leaves_nothing_that_stays(tmp_path) -> None:
    store = ScoreStore(tmp_path / "s", "run-a", 2)
    store.add(*_some(0, 1))
    store.flush()
    (tmp_path / "s" / ".tmp-abc-part-000001.npz").write_bytes(b"half")
    assert len(ScoreStore(tmp_path / "s", "run-a", 2).load()[0]) == 1
    store.remove()
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("missing", "wanted"),
    [([], []), ([0], [0, 1, 2]), ([4], [3, 4, 5]), ([2, 7], [0, 1, 2, 6, 7]), (range(8), range(8))],
)
def test_whole_batches_of_three_are_scored_again(missing, wanted) -> None:
    assert np.flatnonzero(in_whole_batches(np.isin(np.arange(8), list(missing)), 3)).tolist() == list(wanted)
