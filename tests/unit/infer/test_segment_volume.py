from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unet_bundles import card, darkness, random_unet

from napari_medpatch.errors import BundleError, MedPatchError, MissingSpacingError, ResourceError, WrongKindError
from napari_medpatch.events import BlockSegmented, Event, Finished, Noted, Started, Working, run
from napari_medpatch.infer.segment import SegmentResult, SegmentSettings, segment
from napari_medpatch.infer.unet_runner import UNetRunner
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import save_bundle
from napari_medpatch.models.network import build_network
from napari_medpatch.steps import finish

LUNG = (3.0, 3.0, 3.0)


def ball(shape: tuple[int, ...], spacing: tuple[float, ...], radius: float = 15.0) -> np.ndarray:
    """True within ``radius`` mm of the centre of the volume."""
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    return sum(a**2 for a in np.meshgrid(*axes, indexing="ij")) < radius**2


def volume(truth: np.ndarray, spacing: tuple[float, ...] | None) -> ArraySource:
    return ArraySource(np.where(truth, -800, 40).astype(np.int16), "volume", spacing)


def noise(shape: tuple[int, ...], spacing: tuple[float, ...] = (1.0, 1.0, 1.0), seed: int = 0) -> ArraySource:
    """Blocks of four voxels of random HU."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-1000, 400, [-(-n // 4) for n in shape])
    fine = coarse.repeat(4, 0).repeat(4, 1).repeat(4, 2)[tuple(slice(n) for n in shape)]
    return ArraySource(fine.astype(np.int16), "volume", spacing)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def paint(events: list[Event]) -> tuple[np.ndarray, np.ndarray]:
    """What a consumer shows after all events, and how often each voxel was sent."""
    shape = next(e for e in events if isinstance(e, Started)).context["shape"]
    mask, count = np.zeros(shape, np.uint8), np.zeros(shape, int)
    for event in events:
        if isinstance(event, BlockSegmented):
            assert event.labels.shape == event.box.shape
            mask[event.box.slices] = event.labels
            count[event.box.slices] += 1
    return mask, count


@pytest.mark.parametrize("spacing", [(5.0, 0.9, 0.9), (1.5, 1.5, 1.5), (3.0, 3.0, 3.0), (4.0, 2.0, 7.0)])
def test_the_mask_lies_where_the_object_lies(tmp_path: Path, spacing: tuple[float, ...]) -> None:
    shape = tuple(round(60 / s) + 1 for s in spacing)
    truth = ball(shape, spacing)
    bundle = darkness(tmp_path / "dark", below=0.4, spacing=LUNG, spacing_unit="mm")
    result = run(segment(volume(truth, spacing), bundle))
    assert result.mask.dtype == np.uint8
    found = result.mask == 1
    assert found.shape == shape
    assert iou(found, truth) > 0.75
    shift = [np.mean(np.nonzero(found)[a]) - np.mean(np.nonzero(truth)[a]) for a in range(3)]
    assert np.abs(shift).max() < 0.05


def test_without_a_spacing_the_model_works_on_the_volumes_own_voxels(tmp_path: Path) -> None:
    truth = ball((20, 30, 25), (1, 1, 1), 8)
    result = run(segment(volume(truth, None), darkness(tmp_path / "dark", below=0.4)))
    assert np.array_equal(result.mask == 1, truth)
    assert result.class_names == ("dark",)
    assert result.probabilities.shape == (1, 20, 30, 25)
    assert np.array_equal(result.probabilities[0] >= 128, truth)


@pytest.mark.parametrize(("levels", "shape", "voxels"), [(3, (76, 30, 29), 63_000), (2, (60, 30, 25), 30_000)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.7, 1.3)])
def test_blocks_give_what_one_pass_gives(
    tmp_path: Path, levels: int, shape: tuple[int, ...], voxels: int, spacing: tuple[float, ...]
) -> None:
    bundle = random_unet(tmp_path / "net", levels=levels, spacing=(1.0, 1.0, 1.0), spacing_unit="mm")
    source = noise(shape, spacing)
    whole = run(segment(source, bundle, SegmentSettings(block_voxels=10**9)))
    cut = run(segment(source, bundle, SegmentSettings(block_voxels=voxels)))
    assert whole.provenance["blocks"] == 1
    assert cut.provenance["blocks"] > 2
    assert 0.02 < (whole.mask == 1).mean() < 0.98
    assert np.array_equal(whole.mask, cut.mask)
    assert np.abs(whole.probabilities.astype(int) - cut.probabilities).max() <= 1


def test_the_logits_of_a_core_are_those_of_one_pass(tmp_path: Path) -> None:
    from napari_medpatch.geometry import Box
    from napari_medpatch.infer.segment_plan import plan_segmentation

    bundle = random_unet(tmp_path / "net", levels=3)
    plan = plan_segmentation(noise((96, 36, 36)), bundle.card)
    list(plan.image.prepare())
    runner = UNetRunner(bundle)

    def logits(box: Box) -> np.ndarray:
        return finish(runner.logits(plan.image.block(box))).numpy()

    whole = logits(Box.whole(plan.tiling.canvas))
    worst = 0.0
    for core in plan.tiling.cores(80_000):
        region = plan.tiling.padded(core)
        inside = core.shift([-a for a in region.start]).slices
        worst = max(
            worst, float(np.abs(logits(region)[(slice(None), *inside)] - whole[(slice(None), *core.slices)]).max())
        )
    assert len(plan.tiling.cores(80_000)) > 1
    assert np.abs(whole).max() > 1
    assert worst <= 1e-4
    # The test can fail: half the margin is visibly too little.
    short = Box((24, 0, 0), (96, 36, 36))
    assert np.abs(logits(short)[:, 4:] - whole[:, 28:]).max() > 1e-3


def test_events_tile_the_mask_and_count_up(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", levels=2)
    events = list(segment(noise((50, 30, 30)), bundle, SegmentSettings(block_voxels=20_000)))
    started = events[0]
    assert isinstance(started, Started)
    assert started.context["shape"] == (50, 30, 30)
    assert started.context["classes"] == ("dark",)
    result = events[-1].result
    assert isinstance(result, SegmentResult)
    mask, count = paint(events)
    assert (count == 1).all()
    assert np.array_equal(mask, result.mask)
    done = [event.done for event in events if isinstance(event, BlockSegmented | Working)]
    assert done == sorted(done)
    assert done[-1] == started.total
    maps = np.zeros_like(result.probabilities)
    for event in events:
        if isinstance(event, BlockSegmented):
            maps[(slice(None), *event.box.slices)] = event.probabilities
    assert np.array_equal(maps, result.probabilities)


def test_the_same_input_gives_the_same_arrays(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", spacing=LUNG, spacing_unit="mm")
    first, second = (run(segment(noise((20, 60, 60), (2.5, 1.4, 1.4)), bundle)) for _ in range(2))
    assert np.array_equal(first.mask, second.mask)
    assert np.array_equal(first.probabilities, second.probabilities)
    assert first.provenance == second.provenance
    assert first.provenance["precision"] == "float32"
    assert first.provenance["weights_sha256"] == bundle.card.weights_sha256


@pytest.mark.parametrize("shape", [(1, 40, 40), (3, 40, 40), (2, 5, 7), (1, 1, 1), (40, 1, 40)])
def test_thin_and_tiny_volumes_work(tmp_path: Path, shape: tuple[int, ...]) -> None:
    truth = np.zeros(shape, bool)
    truth[..., : shape[2] // 2 + 1] = True
    bundle = darkness(tmp_path / "dark", below=0.4, spacing=LUNG, spacing_unit="mm")
    result = run(segment(volume(truth, (5.0, 3.0, 3.0)), bundle))
    assert np.array_equal(result.mask == 1, truth)
    deep = random_unet(tmp_path / "deep", levels=4, spacing=LUNG, spacing_unit="mm")
    assert run(segment(volume(truth, (5.0, 1.0, 1.0)), deep)).mask.shape == shape


def test_several_classes_take_the_likeliest(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", levels=2, class_names=("background", "a", "b"), seed=3)
    result = run(segment(noise((30, 30, 30)), bundle))
    assert result.probabilities.shape == (2, 30, 30, 30)
    likeliest = result.probabilities.argmax(0) + 1
    foreground = result.mask > 0
    assert set(np.unique(result.mask)) == {0, 1, 2}
    ties = np.ptp(result.probabilities.astype(int), axis=0) <= 1
    assert (result.mask[foreground & ~ties] == likeliest[foreground & ~ties]).all()


def test_a_threshold_moves_the_border_and_the_models_own_is_used(tmp_path: Path) -> None:
    source = noise((20, 30, 30))
    sizes = [
        int((run(segment(source, random_unet(tmp_path / "n"), SegmentSettings(threshold=t))).mask > 0).sum())
        for t in (0.2, None, 0.8)
    ]
    assert sizes[0] > sizes[1] > sizes[2]
    own = run(segment(source, random_unet(tmp_path / "own", threshold=0.8)))
    assert int((own.mask > 0).sum()) == sizes[2]
    assert own.provenance["threshold"] == 0.8
    with pytest.raises(MedPatchError, match="does not lie between 0 and 1"):
        run(segment(source, random_unet(tmp_path / "n"), SegmentSettings(threshold=1.5)))


def test_maps_are_made_on_request_only(tmp_path: Path) -> None:
    bundle, source = random_unet(tmp_path / "net"), noise((20, 30, 30))
    bare = run(segment(source, bundle, SegmentSettings(probabilities=False)))
    assert bare.probabilities is None
    assert np.array_equal(bare.mask, run(segment(source, bundle)).mask)


def test_cleaning_sends_what_it_changed(tmp_path: Path) -> None:
    truth = ball((40, 40, 40), (1, 1, 1), 12)
    truth[2:4, 2:4, 2:4] = True
    bundle = darkness(tmp_path / "dark", below=0.4, postprocess={"min_component_ml": 0.1})
    source = volume(truth, (1.0, 1.0, 1.0))
    events = list(segment(source, bundle))
    mask, count = paint(events)
    result = events[-1].result
    assert np.array_equal(mask, result.mask)
    assert not result.mask[2:4, 2:4, 2:4].any()
    assert result.mask.sum() == truth.sum() - 8
    assert count.max() == 2
    assert count[10:, 10:, 10:].max() == 1
    raw = run(segment(source, bundle, SegmentSettings(postprocess=False)))
    assert np.array_equal(raw.mask == 1, truth)
    assert raw.provenance["postprocess"] == {}
    assert raw.provenance["clean_up"] == []
    assert raw.cleaned is None


def test_what_the_models_own_clean_up_changed_is_recorded_and_can_be_undone(tmp_path: Path) -> None:
    truth = ball((30, 30, 30), (1, 1, 1), 9)
    speck = truth.copy()
    speck[2, 2, 2] = True
    bundle = darkness(tmp_path / "dark", below=0.4, postprocess={"min_component_ml": 0.1})
    source = volume(speck, (1.0, 1.0, 1.0))
    raw = run(segment(source, bundle, SegmentSettings(postprocess=False)))
    result = run(segment(source, bundle))
    (record,) = result.provenance["clean_up"]
    assert record["steps"][0]["step"] == "drop:0.1ml"
    assert sum(record["steps"][0]["removed"].values()) == (raw.mask != result.mask).sum() > 0
    assert result.cleaned.delta.undo(result.mask) == 0
    assert np.array_equal(result.mask, raw.mask)


def test_values_that_are_no_hounsfield_units_are_noted(tmp_path: Path) -> None:
    bundle = darkness(tmp_path / "dark", below=0.4)
    mr = ArraySource(np.arange(27000, dtype=np.int16).reshape(30, 30, 30) % 900, "volume", (1.0, 1.0, 1.0))
    notes = [event for event in segment(mr, bundle) if isinstance(event, Noted)]
    assert [note.level for note in notes] == ["warning"] * 2
    assert "between 0 and 899" in notes[0].message
    assert "found no " in notes[1].message
    ct = volume(ball((30, 30, 30), (1, 1, 1), 9), (1.0, 1.0, 1.0))
    assert not [event for event in segment(ct, bundle) if isinstance(event, Noted)]


def limit_memory(monkeypatch: pytest.MonkeyPatch, voxels: int, error: Exception) -> None:
    real = UNetRunner.logits

    def limited(self: UNetRunner, block: np.ndarray) -> Any:
        if block[0].size > voxels:
            raise error
        return real(self, block)

    monkeypatch.setattr(UNetRunner, "logits", limited)


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory. Tried to allocate"), MemoryError()])
def test_blocks_are_halved_when_memory_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bundle, source = random_unet(tmp_path / "net", levels=2), noise((70, 32, 32))
    expected = run(segment(source, bundle)).mask
    limit_memory(monkeypatch, 45_000, error)
    events = list(segment(source, bundle))
    mask, count = paint(events)
    assert np.array_equal(mask, expected)
    assert (count == 1).all()
    assert sum(isinstance(event, BlockSegmented) for event in events) > 1
    assert [e.done for e in events if isinstance(e, BlockSegmented)][-1] == events[0].total


def test_memory_that_never_suffices_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_memory(monkeypatch, 0, MemoryError())
    with pytest.raises(ResourceError, match="smallest block"):
        run(segment(noise((20, 20, 20)), random_unet(tmp_path / "net")))


def test_other_failures_are_not_taken_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_memory(monkeypatch, 0, RuntimeError("shape mismatch"))
    with pytest.raises(RuntimeError, match="shape mismatch"):
        run(segment(noise((20, 20, 20)), random_unet(tmp_path / "net")))


def test_a_job_may_be_closed_at_any_event(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", levels=2, postprocess={"keep_largest": 1})
    settings = SegmentSettings(block_voxels=20_000)
    length = len(list(segment(noise((40, 24, 24)), bundle, settings)))
    for stop in range(0, length, 3):
        job = segment(noise((40, 24, 24)), bundle, settings)
        taken = [next(job) for _ in range(stop)]
        job.close()  # type: ignore[attr-defined]
        assert not any(isinstance(event, Finished) for event in taken)
        assert next(job, None) is None


def test_bfloat16_agrees_with_float32_almost_everywhere(tmp_path: Path) -> None:
    bundle, source = random_unet(tmp_path / "net"), noise((16, 32, 32))
    exact = run(segment(source, bundle))
    rough = run(segment(source, bundle, SegmentSettings(precision="bfloat16")))
    assert rough.provenance["precision"] == "bfloat16"
    assert (exact.mask == rough.mask).mean() > 0.97
    assert not np.array_equal(exact.probabilities, rough.probabilities)


def test_models_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    photo = ArraySource(np.zeros((20, 20, 3), np.uint8), "photo", path="eye.png")
    with pytest.raises(WrongKindError, match=r"eye\.png is a photograph, but ct segments a CT volume"):
        run(segment(photo, darkness(tmp_path / "ct", below=0.4)))
    colour = darkness(tmp_path / "eyes", below=0.4, task="segment-2d", in_channels=3)
    with pytest.raises(WrongKindError, match="is a volume, but eyes segments a colour photograph"):
        run(segment(noise((9, 9, 9)), colour))
    described = card(
        "patch-classifier", architecture="mobilenetv2_050", patch_size_pixels=32, spacing_um_px=1.0, in_channels=3
    )
    with pytest.raises(BundleError, match="is a patch-classifier, it does not segment"):
        run(segment(noise((9, 9, 9)), save_bundle(tmp_path / "patches", described, build_network(described))))


def test_a_model_in_millimetres_needs_the_voxel_size(tmp_path: Path) -> None:
    bundle = darkness(tmp_path / "ct", below=0.4, spacing=LUNG, spacing_unit="mm")
    with pytest.raises(MissingSpacingError, match=r"ct works at 3\.0 mm; give the pixel size"):
        run(segment(volume(np.ones((9, 9, 9), bool), None), bundle))
    wrong = darkness(tmp_path / "um", below=0.4, spacing=LUNG, spacing_unit="um")
    with pytest.raises(BundleError, match="'mm' is needed"):
        run(segment(noise((9, 9, 9)), wrong))
    short = darkness(tmp_path / "short", below=0.4, spacing=(3.0,), spacing_unit="mm")
    with pytest.raises(BundleError, match="1 spacings for 3 axes"):
        run(segment(noise((9, 9, 9)), short))


def test_unknown_devices_and_rules_fail_before_the_work(tmp_path: Path) -> None:
    source = noise((9, 9, 9))
    with pytest.raises(ResourceError, match="no device 'abacus'"):
        run(segment(source, darkness(tmp_path / "a", below=0.4), SegmentSettings(device="abacus")))
    with pytest.raises(BundleError, match="unknown clean-up 'polish'"):
        run(segment(source, darkness(tmp_path / "b", below=0.4, postprocess={"polish": 1})))
