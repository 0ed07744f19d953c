"""What was changed can be counted, undone and redone exactly."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.events import Finished, Started, Working
from napari_medpatch.infer.clean.changes import compare
from napari_medpatch.infer.clean.delta import MaskDelta
from napari_medpatch.infer.clean.history import CleanHistory
from napari_medpatch.infer.clean.job import CleanResult, clean_up
from napari_medpatch.infer.clean.smooth import Smooth
from napari_medpatch.infer.clean.work import Work
from napari_medpatch.io.array_source import ArraySource


def random_mask(seed: int, shape: tuple[int, ...] = (30, 20, 20)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)


def job_result(mask: np.ndarray, *steps: str, names: tuple[str, ...] = ("a", "b", "c")) -> CleanResult:
    done = list(clean_up((1.0, 1.0, 1.0), mask, steps, class_names=names))[-1]
    assert isinstance(done, Finished)
    return done.result


@pytest.mark.parametrize("shape", [(30, 20, 20), (17, 33)])
def test_undo_and_redo_are_exact(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_medpatch.infer.clean.work.SLAB_VOXELS", 100)
    before, after = random_mask(1, shape), random_mask(2, shape)
    delta = MaskDelta.between(before, after)
    mask = after.copy()
    assert delta.undo(mask) == 0
    assert np.array_equal(mask, before)
    assert delta.redo(mask) == 0
    assert np.array_equal(mask, after)
    assert delta.voxels == (before != after).sum()


def test_a_delta_is_small_and_knows_its_box() -> None:
    before = np.zeros((100, 100, 100), np.uint8)
    after = before.copy()
    after[20:60, 10:70, 30:90] = 1
    delta = MaskDelta.between(before, after)
    assert delta.box == (slice(20, 60), slice(10, 70), slice(30, 90))
    assert delta.nbytes < 2000
    assert MaskDelta.between(before, before).box is None


def test_voxels_painted_since_stay() -> None:
    before, after = random_mask(1), random_mask(2)
    delta = MaskDelta.between(before, after)
    mask = after.astype(np.int64)
    z, y, x = np.argwhere(before != after)[7]
    mask[z, y, x] = 9
    same = tuple(np.argwhere(before == after)[0])
    mask[same] = 8
    assert delta.undo(mask) == 1
    assert mask[z, y, x] == 9
    assert mask[same] == 8
    mask[z, y, x], mask[same] = before[z, y, x], before[same]
    assert np.array_equal(mask, before)


def test_a_history_goes_back_and_forth_over_several_clean_ups() -> None:
    history, masks = CleanHistory(), [random_mask(5)]
    mask = masks[0].copy()
    for step in ("fill-holes", "largest:1", "split-left-right@a"):
        result = job_result(mask, step, names=("a", "b", "c"))
        result.undo.delta.redo(mask)
        assert np.array_equal(mask, result.mask)
        history.add(result.undo)
        masks.append(mask.copy())
    assert [record["steps"][0]["step"] for record in history.records()] == [
        "fill-holes", "largest:1", "split-left-right@a",
    ]  # fmt: skip
    for wanted in reversed(masks[:-1]):
        record, stayed = history.undo(mask)
        assert stayed == 0
        assert np.array_equal(mask, wanted)
    assert record.names_before == ("a", "b", "c")
    for wanted in masks[1:]:
        history.redo(mask)
        assert np.array_equal(mask, wanted)
    assert history.undone == []


def test_a_new_clean_up_ends_what_could_be_redone() -> None:
    history, mask = CleanHistory(), random_mask(5)
    history.add(job_result(mask, "largest:1").undo)
    history.undo(mask)
    history.add(job_result(mask, "fill-holes").undo)
    assert history.undone == []


def test_changes_are_counted_by_class() -> None:
    before = np.array([[0, 0, 1, 1, 2, 2]], np.uint8)
    after = np.array([[0, 1, 1, 0, 1, 2]], np.uint8)
    change = compare("x", before, after, (["a", "b"], ["a", "b"]), 0.5)
    assert change.added == {"a": 2}
    assert change.removed == {"a": 1, "b": 1}
    assert change.to_record()["added_ml"] == {"a": 1.0}
    assert change.in_words() == "x: a +1 −0.5 ml, b −0.5 ml"
    renamed = compare("x", before, before, (["a", "b"], ["c", "b"]), None)
    assert renamed.added == {"c": 2}
    assert renamed.removed == {"a": 2}
    assert compare("x", before, before, (["a", "b"], ["a", "b"]), None).in_words() == "x: nothing changed"


def test_the_job_announces_its_steps_records_them_and_leaves_its_input_alone() -> None:
    mask = random_mask(3)
    kept = mask.copy()
    events = list(clean_up((1.0, 1.0, 1.0), mask, ["largest:1", "fill-holes"], class_names=["a", "b", "c"]))
    assert isinstance(events[0], Started)
    assert events[0].total == 2
    shares = [event.done for event in events if isinstance(event, Working)]
    assert shares == sorted(shares)
    assert np.array_equal(mask, kept)
    result: CleanResult = events[-1].result
    assert [step["step"] for step in result.provenance["steps"]] == ["largest:1", "fill-holes"]
    assert sum(result.changes[0].removed.values()) == (kept > 0).sum() - sum(
        (result.mask == v).sum() for v in (1, 2, 3)
    ) + sum(result.changes[1].added.values())


def test_a_job_stops_at_once_though_a_step_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, ended = threading.Event(), list[bool]()

    def take_long(_step: Smooth, _work: Work) -> Iterator[float]:
        ended.append(gate.wait(20))
        yield 1.0

    monkeypatch.setattr(Smooth, "apply", take_long)
    mask = random_mask(3)
    kept = mask.copy()
    job = clean_up((1.0, 1.0, 1.0), mask, ["smooth:2mm"] * 5)
    assert [type(next(job)) for _ in range(3)] == [Started, Working, Working]
    job.close()
    assert ended == []
    assert next(job, None) is None
    assert np.array_equal(mask, kept)
    gate.set()


def test_values_without_a_name_get_one() -> None:
    assert job_result(random_mask(1), "largest:1", names=("a",)).class_names == ("a", "class 2", "class 3")


def test_a_mask_must_lie_on_its_image() -> None:
    source = ArraySource(np.zeros((4, 5, 6), np.int16), "volume", spacing=(5.0, 1.0, 1.0))
    with pytest.raises(GeometryError, match="does not lie on"):
        list(clean_up(source, np.zeros((4, 5, 7), np.uint8), ["largest:1"]))
    with pytest.raises(GeometryError, match="as many voxel sizes"):
        list(clean_up((1.0, 1.0), np.zeros((4, 5, 7), np.uint8), ["largest:1"]))
    with pytest.raises(LabelsError, match="whole numbers"):
        list(clean_up((1.0, 1.0), np.zeros((4, 5), np.float32), ["largest:1"]))


def test_limits_of_hu_look_at_the_scan() -> None:
    hu = np.full((6, 8, 8), 40, np.int16)
    hu[:, :4] = -800
    source = ArraySource(hu, "volume", spacing=(5.0, 1.0, 1.0))
    mask = np.ones((6, 8, 8), np.uint8)
    mask[:, :, 4:] = 2
    done = list(clean_up(source, mask, ["hu:-1024..-300@a"], class_names=["a", "b"]))[-1]
    assert isinstance(done, Finished)
    assert np.array_equal(done.result.mask == 1, (mask == 1) & (hu < 0))
    assert np.array_equal(done.result.mask == 2, mask == 2)
