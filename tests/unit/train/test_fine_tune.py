"""The whole job: events, result, stopping, bases, bad input."""

import threading
import time

import numpy as np
import pytest

from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import BundleError, GeometryError, LabelsError, OutputError
from napari_medpatch.events import BlockSegmented, Finished, Noted, Started, StepDone, Validated, Working, run
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.train.fine_tune import FineTuneSettings, fine_tune
from napari_medpatch.train.loop import Learner

QUICK = FineTuneSettings(steps=3, device="cpu")
NAMES = ("background", "dark", "bright")


@pytest.fixture
def labels(phantom) -> SparseLabels:
    return SparseLabels.from_mask(phantom[1], [4, 12, 19], NAMES)


def test_events_come_in_order_and_the_result_is_complete(volume, labels, phantom, tmp_path):
    events = list(fine_tune(volume, labels, settings=QUICK, out=tmp_path / "model"))
    assert isinstance(events[0], Started)
    assert (events[0].unit, events[0].total) == ("steps", 3)
    assert events[0].context["shape"] == (24, 40, 40)
    assert events[0].context["classes"] == NAMES[1:]
    assert [event.step for event in events if isinstance(event, StepDone)] == [1, 2, 3]
    assert any(isinstance(event, Validated) for event in events)
    assert isinstance(events[-1], Finished)
    result = events[-1].result
    assert result.steps == 3
    assert result.class_names == NAMES[1:]
    assert result.mask.shape == phantom[1].shape
    assert result.probabilities.shape == (2, 24, 40, 40)
    assert {"dice", "iou", "loss"} <= set(result.metrics)
    assert result.provenance["working_spacing"] == [2.0, 2.0, 2.0]


def test_the_mask_is_good_and_paint_stands(volume, labels, phantom):
    result = run(fine_tune(volume, labels, settings=QUICK))
    mask, rest = phantom[1], labels.labels == 0
    for value in (1, 2):
        both = ((result.mask == value) & (mask == value) & rest).sum()
        either = (((result.mask == value) | (mask == value)) & rest).sum()
        assert both / either > 0.85
    np.testing.assert_array_equal(result.mask[12], mask[12])


def test_blocks_add_up_to_the_mask(volume, labels):
    blocks, result = [], None
    for event in fine_tune(volume, labels, settings=QUICK):
        if isinstance(event, BlockSegmented):
            blocks.append(event)
        elif isinstance(event, Finished):
            result = event.result
    mask = np.full((24, 40, 40), 99, np.uint8)
    for block in blocks:
        mask[block.box.slices] = block.labels
    np.testing.assert_array_equal(mask, result.mask)
    assert len(blocks) >= 2


def test_equal_steps_and_seeds_give_equal_masks(volume, labels):
    first, second = (run(fine_tune(volume, labels, settings=QUICK)).mask for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_bundle_works_alone(volume, labels, tmp_path):
    run(fine_tune(volume, labels, settings=QUICK, out=tmp_path / "model"))
    bundle = load_bundle(tmp_path / "model")
    assert bundle.card.class_names == NAMES
    assert bundle.card.training["steps"] == 3
    result = run(segment(volume, bundle, SegmentSettings(device="cpu")))
    assert result.mask.shape == (24, 40, 40)
    assert result.class_names == NAMES[1:]


def test_painting_goes_on_while_it_trains(volume, labels):
    job = fine_tune(volume, labels, settings=QUICK)
    next(job)
    labels.labels[:] = 1
    assert run(job).mask.any()


def test_stopping_keeps_the_model_so_far(volume, labels, tmp_path):
    job = fine_tune(volume, labels, settings=FineTuneSettings(steps=1000, device="cpu"), out=tmp_path / "model")
    for event in job:
        if isinstance(event, StepDone) and event.step == 2:
            break
    job.close()
    assert load_bundle(tmp_path / "model").card.training["steps"] == 2


def test_stopping_does_not_wait_for_a_slow_step(volume, labels, tmp_path, monkeypatch):
    job = fine_tune(volume, labels, settings=FineTuneSettings(steps=1000, device="cpu"), out=tmp_path / "model")
    next(event for event in job if isinstance(event, StepDone))
    gate, ended = threading.Event(), []

    def slow(self, fraction, threads=None):
        ended.append(gate.wait(60))
        return 0.0

    monkeypatch.setattr(Learner, "step", slow)
    assert isinstance(next(job), Working)
    job.close()
    assert ended == []
    gate.set()
    assert load_bundle(tmp_path / "model").card.training["steps"] == 1


def test_stopping_before_the_first_step_leaves_nothing(volume, labels, tmp_path):
    job = fine_tune(volume, labels, settings=QUICK, out=tmp_path / "model")
    next(job)
    next(job)
    job.close()
    assert list(tmp_path.iterdir()) == []


def test_time_budgets_are_kept(volume, labels):
    begun = time.perf_counter()
    events = list(fine_tune(volume, labels, settings=FineTuneSettings(seconds=4, device="cpu")))
    # Generous, because the machine may be busy; the point is that it neither runs on nor stops at once.
    assert 2 < time.perf_counter() - begun < 30
    assert events[0].unit == "seconds"
    assert events[-1].result.steps >= 1
    steps = [event for event in events if isinstance(event, StepDone)]
    assert all(step.done <= 4 for step in steps)


def test_a_budget_without_a_step_is_told(volume, labels):
    settings = FineTuneSettings(seconds=0.01, device="cpu", predict=False)
    events = list(fine_tune(volume, labels, settings=settings))
    assert events[-1].result.steps == 0
    assert [event.level for event in events if isinstance(event, Noted) and "more time" in event.message] == ["warning"]


def test_without_prediction_there_is_only_a_model(volume, labels):
    settings = FineTuneSettings(steps=1, device="cpu", predict=False)
    events = list(fine_tune(volume, labels, settings=settings))
    assert not any(isinstance(event, BlockSegmented) for event in events)
    assert events[-1].result.mask is None
    assert events[-1].result.bundle.load() is not None


def test_without_unlabelled_pixels_the_mask_is_the_networks(volume, labels):
    settings = FineTuneSettings(steps=2, device="cpu", use_unlabelled=False)
    result = run(fine_tune(volume, labels, settings=settings))
    assert result.provenance["network_share"] == 1
    assert result.provenance["estimate"] is None
    assert result.mask.shape == (24, 40, 40)


def test_five_slices_give_a_score_of_the_network(volume, phantom):
    labels = SparseLabels.from_mask(phantom[1], [2, 7, 12, 17, 22], NAMES)
    events = list(fine_tune(volume, labels, settings=FineTuneSettings(steps=4, device="cpu")))
    scores = [event for event in events if isinstance(event, Validated)]
    assert scores[-1].step == 2
    assert "network_dice" in scores[-1].metrics
    assert all(isinstance(value, float) for value in scores[-1].metrics.values())


def test_a_base_goes_on_where_it_was(volume, labels, tmp_path):
    base = run(fine_tune(volume, labels, settings=QUICK, out=tmp_path / "base")).bundle
    unnamed = SparseLabels(labels.labels, ("background", "class 1", "class 2"))
    result = run(fine_tune(volume, unnamed, base, QUICK, out=tmp_path / "next"))
    assert result.class_names == NAMES[1:]
    assert result.bundle.card.spacing == base.card.spacing
    assert result.bundle.card.intensity == base.card.intensity
    assert result.bundle.card.training["base"] == "base"


def test_photographs_give_a_picture_model(photo, tmp_path):
    source, mask = photo
    array = np.zeros(mask.shape, np.uint8)
    array[8:24, 8:24] = mask[8:24, 8:24] + 1
    array[0:3, 30:90] = 1
    result = run(fine_tune(source, SparseLabels(array), settings=QUICK, out=tmp_path / "model"))
    assert result.bundle.card.task == "segment-2d"
    assert result.mask.shape == mask.shape
    again = run(segment(source, result.bundle, SegmentSettings(device="cpu")))
    assert again.mask.shape == mask.shape


def test_slides_take_a_coarse_raster(photo):
    rgb = np.repeat(np.repeat(photo[0].data, 4, 0), 4, 1)
    source = ArraySource(rgb, "slide", (0.5, 0.5))
    array = np.zeros((96, 96), np.uint8)
    array[8:24, 8:24] = photo[1][8:24, 8:24] + 1
    result = run(fine_tune(source, SparseLabels(array), settings=QUICK))
    assert result.mask.shape == (96, 96)
    assert result.downsample == (4.0, 4.0)
    assert result.bundle.card.spacing == (2.0, 2.0)


def test_values_that_are_not_hu_are_learnt_too(phantom):
    source = ArraySource((phantom[0] / 100).astype(np.float32), "volume", (2.0, 2.0, 2.0))
    labels = SparseLabels.from_mask(phantom[1], [4, 12, 19], NAMES)
    result = run(fine_tune(source, labels, settings=QUICK))
    assert result.bundle.card.intensity["high"] < 10
    assert ((result.mask == 1) & (phantom[1] == 1)).sum() > 0.8 * (phantom[1] == 1).sum()


def test_thin_stacks_work(phantom):
    source = ArraySource(phantom[0][:3].copy(), "volume", (5.0, 1.0, 1.0))
    labels = SparseLabels.from_mask(phantom[1][:3], [1], NAMES)
    assert run(fine_tune(source, labels, settings=QUICK)).mask.shape == (3, 40, 40)


def test_an_unpainted_class_is_pointed_out(volume, labels):
    more = SparseLabels(labels.labels, (*NAMES, "vessel"))
    notes = [e.message for e in fine_tune(volume, more, settings=QUICK) if isinstance(e, Noted)]
    assert any("'vessel' is not painted" in note for note in notes)


def test_bad_labels_are_refused(volume, phantom):
    with pytest.raises(LabelsError, match="Nothing is painted"):
        run(fine_tune(volume, SparseLabels(np.zeros((24, 40, 40), np.uint8)), settings=QUICK))
    with pytest.raises(LabelsError, match="Only 'background'"):
        run(fine_tune(volume, SparseLabels(np.ones((24, 40, 40), np.uint8)), settings=QUICK))
    with pytest.raises(GeometryError, match=r"24 × 40 × 41.*24 × 40 × 40"):
        run(fine_tune(volume, SparseLabels(np.ones((24, 40, 41), np.uint8)), settings=QUICK))


def test_a_base_of_another_kind_is_refused(volume, labels, photo, tmp_path):
    array = (photo[1] + 1).astype(np.uint8)
    base = run(fine_tune(photo[0], SparseLabels(array), settings=QUICK, out=tmp_path / "picture")).bundle
    with pytest.raises(BundleError, match="needs a segment-3d"):
        run(fine_tune(volume, labels, base, QUICK))


def test_a_place_that_cannot_be_written_is_named(volume, labels, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        run(fine_tune(volume, labels, settings=QUICK, out=tmp_path / "file" / "model"))
