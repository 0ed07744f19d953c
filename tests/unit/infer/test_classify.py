"""Classifying a slide as a job."""

import json
import math
import threading
from pathlib import Path

import numpy as np
import pytest

from napari_medpatch.errors import (
    BundleError,
    MissingSpacingError,
    NoTissueError,
    OutputError,
    ResourceError,
    WrongKindError,
)
from napari_medpatch.events import Finished, Noted, PatchesScored, Started, run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.io.score_csv import read_patch_scores
from napari_medpatch.patches.tissue import TissueMask

CPU = ClassifySettings(device="cpu")


@pytest.fixture(autouse=True)
def _silent(monkeypatch) -> None:
    """Let a slow machine say nothing while it waits: these tests count events."""
    for module in ("tissue_search", "classify_run"):
        monkeypatch.setattr(f"napari_medpatch.infer.{module}.SPEAK_SECONDS", math.inf)


def _expected(rgb: np.ndarray, box: list[int]) -> np.ndarray:
    """Return the probabilities that the mean-colour model gives a patch."""
    y0, x0, y1, x1 = box
    mean = rgb[y0:y1, x0:x1].mean(axis=(0, 1))[:2]
    exponent = np.exp((mean / 255 - 0.5) / 0.5 * 4)
    return exponent / exponent.sum()


def _everywhere(rgb: np.ndarray) -> TissueMask:
    return TissueMask(np.ones((1, 1), bool), tuple(float(n) for n in rgb.shape[:2]))


def test_scores_every_patch_on_tissue_and_no_other(pyramid, stained_slide, mean_colour) -> None:
    result = run(classify(pyramid(stained_slide), mean_colour(), CPU))
    scored = np.argwhere(np.isfinite(result.probabilities[..., 0]))
    assert sorted(scored.tolist()) == sorted(result.grid.cells.tolist())
    centres = (result.grid.boxes()[:, :2] + 16 - (300, 400)) ** 2
    assert (np.sqrt(centres.sum(axis=1)) < 150 + 16).all()
    assert 0.8 < len(scored) * 32**2 / (np.pi * 150**2) < 1.2
    for cell, box in zip(result.grid.cells, result.grid.boxes().tolist(), strict=True):
        np.testing.assert_allclose(result.probabilities[tuple(cell)], _expected(stained_slide, box), atol=1e-4)


def test_events_come_in_order_and_add_up(pyramid, stained_slide, mean_colour) -> None:
    events = list(classify(pyramid(stained_slide), mean_colour(), CPU))
    first, *scored, last = events
    assert isinstance(first, Started)
    assert first.unit == "patches"
    assert first.context["class_names"] == ("other", "tumour")
    assert isinstance(last, Finished)
    assert all(isinstance(event, PatchesScored) for event in scored)
    assert scored[-1].done == first.total == sum(len(event.cells) for event in scored)
    assert np.array_equal(np.concatenate([e.boxes for e in scored]), first.context["grid"].boxes())


@pytest.mark.parametrize("exact", [False, True])
def test_fast_and_exact_path_agree(pyramid, stained_slide, mean_colour, exact) -> None:
    bundle = mean_colour(patch_size_pixels=64, transform=({"name": "Resize", "arguments": {"size": 48}},))
    result = run(classify(pyramid(stained_slide), bundle, ClassifySettings(device="cpu", exact=exact)))
    assert result.provenance["grid"]["level"] == 0
    cells, boxes = result.grid.cells, result.grid.boxes().tolist()
    found = np.array([result.probabilities[tuple(cell)] for cell in cells])
    means = np.array([stained_slide[y0:y1, x0:x1].mean(axis=(0, 1))[:2] / 255 * 4 for y0, x0, y1, x1 in boxes])
    expected = np.exp(means) / np.exp(means).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=3e-3)


def _smooth(height: int, width: int) -> np.ndarray:
    """Colours that change slowly: the same at every level."""
    y, x = np.mgrid[:height, :width]
    waves = [100 + 80 * np.sin(y / 200) * np.cos(x / 150), 120 + 60 * np.cos(y / 170), 90 + 50 * np.sin(x / 190)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def test_fast_path_reads_the_coarsest_level_that_scores_as_level_0_does(pyramid, mean_colour) -> None:
    rgb = _smooth(1600, 1800)
    source = pyramid(rgb, (0.125, 0.125), (2.0, 4.0))
    tissue = _everywhere(rgb)
    fast = run(classify(source, mean_colour(), CPU, tissue=tissue))
    assert fast.provenance["grid"]["level"] == 2
    assert sum(level == 0 for level, _ in source.reads) < len(fast.grid.cells), "the sample and the fingerprint"
    source.reads.clear()
    exact = run(classify(source, mean_colour(), ClassifySettings(device="cpu", exact=True), tissue=tissue))
    assert {level for level, _ in source.reads} == {0}
    assert np.abs(fast.probabilities - exact.probabilities).mean() < 0.005


def test_fast_path_stays_at_level_0_where_another_level_scores_differently(pyramid, mean_colour) -> None:
    rgb = _smooth(1600, 1800)
    source = pyramid(rgb, (0.125, 0.125), (2.0, 4.0))
    source._arrays[2] = source._arrays[2] // 2
    result = run(classify(source, mean_colour(), CPU, tissue=_everywhere(rgb)))
    assert result.provenance["grid"]["level"] == 1


def test_overlap_makes_the_grid_denser(pyramid, stained_slide, mean_colour) -> None:
    result = run(classify(pyramid(stained_slide), mean_colour(), ClassifySettings(device="cpu", overlap=0.5)))
    assert result.grid.stride_px == (16, 16)
    assert result.grid.patch_px == (32, 32)


def test_files_tell_the_same_as_the_result(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    source = pyramid(stained_slide, path=Path("some/where/a.b.svs"))
    result = run(classify(source, mean_colour(), CPU, out=tmp_path / "new"))
    names = ["a.b.csv", "a.b.geojson", "a.b.json", "a.b.ome.tiff"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names
    assert sorted(path.name for path in result.files) == names
    table = read_patch_scores(tmp_path / "new" / "a.b.csv")
    rows, cols = (table.boxes[:, :2] // 32).T
    assert np.array_equal(result.probabilities[rows, cols], table.probabilities)
    assert (np.diff(rows * result.grid.cols + cols) > 0).all(), "rows are not in reading order"
    features = json.loads((tmp_path / "new" / "a.b.geojson").read_text())["features"]
    assert len(features) == len(table.boxes)
    record = json.loads((tmp_path / "new" / "a.b.json").read_text())
    assert record["score"] == result.score
    assert record["model"]["name"] == "mean-colour"
    assert record["source"]["spacing"] == [0.5, 0.5]
    assert record["source"]["spacing_origin"] == "test"


def test_files_of_a_folder_keep_the_dots_of_its_name(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    (tmp_path / "1.2.840").mkdir()
    source = pyramid(stained_slide, path=tmp_path / "1.2.840")
    run(classify(source, mean_colour(), CPU, out=tmp_path / "out"))
    assert (tmp_path / "out" / "1.2.840.csv").is_file()


def test_map_holds_values_at_their_place(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    import tifffile

    from napari_medpatch.io.ome import read_ome_geometry

    result = run(classify(pyramid(stained_slide), mean_colour(), CPU, out=tmp_path))
    values = tifffile.imread(tmp_path / "slide.ome.tiff")
    assert np.array_equal(values, np.moveaxis(result.probabilities, -1, 0), equal_nan=True)
    geometry = read_ome_geometry(tmp_path / "slide.ome.tiff")
    assert geometry.pixel_size == pytest.approx((16.0, 16.0))
    assert geometry.origin == pytest.approx((7.75, 7.75)), "centre of the first patch, in µm from that of pixel 0"


def test_stopped_run_resumes_where_it_was(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    source = pyramid(stained_slide)
    settings = ClassifySettings(device="cpu", batch_size=7)
    job = classify(source, mean_colour(), settings, out=tmp_path)
    events = [next(job) for _ in range(4)]
    job.close()
    assert [path.name for path in tmp_path.iterdir()] == ["slide.parts"]
    bundle = mean_colour()
    started, again, *_, finished = classify(source, bundle, settings, out=tmp_path)
    assert started.done == again.done == 21
    assert np.array_equal(again.cells, np.concatenate([event.cells for event in events[1:]]))
    assert len(bundle.batches) == math.ceil((started.total - 21) / 7)
    whole = run(classify(source, mean_colour(), settings))
    assert np.array_equal(finished.result.probabilities, whole.probabilities, equal_nan=True)
    assert not (tmp_path / "slide.parts").exists()


def test_finished_run_is_read_back(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    source = pyramid(stained_slide)
    first = run(classify(source, mean_colour(), CPU, out=tmp_path))
    bundle = mean_colour()
    started, scored, finished = classify(source, bundle, CPU, out=tmp_path)
    assert bundle.batches == []
    assert started.done == started.total == scored.done
    assert np.array_equal(finished.result.probabilities, first.probabilities, equal_nan=True)
    assert finished.result.score == first.score
    assert finished.result.provenance["fingerprint"] == first.provenance["fingerprint"]


@pytest.mark.parametrize("change", ["settings", "model", "image", "table", "no resume"])
def test_changed_input_is_scored_again(pyramid, stained_slide, mean_colour, tmp_path, change) -> None:
    run(classify(pyramid(stained_slide), mean_colour(), CPU, out=tmp_path))
    settings, bundle, rgb = CPU, mean_colour(), stained_slide
    if change == "settings":
        settings = ClassifySettings(device="cpu", overlap=0.25)
    elif change == "model":
        bundle = mean_colour(("benign", "malignant"))
    elif change == "image":
        rgb = stained_slide.copy()
        rgb[300, 400] = 0
    elif change == "table":
        lines = (tmp_path / "slide.csv").read_text().splitlines()
        (tmp_path / "slide.csv").write_text("\n".join(lines[:-1]))
    else:
        settings = ClassifySettings(device="cpu", resume=False)
    result = run(classify(pyramid(rgb), bundle, settings, out=tmp_path))
    assert sum(bundle.batches) >= len(result.grid.cells) > 0
    table = read_patch_scores(tmp_path / "slide.csv")
    assert len(table.boxes) == len(result.grid.cells)
    assert table.class_names == bundle.card.class_names


def test_another_image_of_the_same_name_is_not_overwritten(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    run(classify(pyramid(stained_slide, path=Path("a/slide.svs")), mean_colour(), CPU, out=tmp_path))
    other = pyramid(stained_slide[:, ::-1].copy(), path=Path("b/slide.svs"))
    with pytest.raises(OutputError, match=r"a/slide\.svs"):
        run(classify(other, mean_colour(), CPU, out=tmp_path))


def test_stop_scores_no_further_batch_and_leaves_no_thread(pyramid, stained_slide, mean_colour) -> None:
    bundle = mean_colour(seconds=0.05)
    job = classify(pyramid(stained_slide), bundle, ClassifySettings(device="cpu", batch_size=1))
    total = next(job).total
    next(job)
    job.close()
    assert len(bundle.batches) < total
    assert next(job, None) is None
    assert not [t for t in threading.enumerate() if t.name.startswith("medpatch-feed")]


def test_memory_running_out_halves_the_batch(pyramid, stained_slide, mean_colour) -> None:
    settings = ClassifySettings(device="cpu", batch_size=32)
    result = run(classify(pyramid(stained_slide), mean_colour(fail_above=5), settings))
    whole = run(classify(pyramid(stained_slide), mean_colour(), settings))
    np.testing.assert_allclose(result.probabilities, whole.probabilities, atol=1e-6)
    assert result.provenance["batch_size"] <= 5


def test_failure_keeps_what_was_scored(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    source = pyramid(stained_slide)
    bundle = mean_colour()
    job = classify(source, bundle, ClassifySettings(device="cpu", batch_size=10), out=tmp_path)
    next(job)
    next(job)
    bundle.fail_above = 0
    with pytest.raises(ResourceError):
        list(job)
    started = next(classify(source, mean_colour(), ClassifySettings(device="cpu"), out=tmp_path))
    assert 10 <= started.done < started.total
    assert started.done % 10 == 0, "whole batches that were under way are kept too"


def test_glass_is_no_tissue_and_nothing_is_written(pyramid, mean_colour, tmp_path) -> None:
    with pytest.raises(NoTissueError, match=r"No tissue was found in slide\.svs"):
        run(classify(pyramid(np.full((400, 400, 3), 240, np.uint8)), mean_colour(), CPU, out=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_tissue_smaller_than_a_patch_says_what_to_do(pyramid, stained_slide, mean_colour) -> None:
    tissue = TissueMask(np.zeros((600, 800), bool), (1.0, 1.0))
    tissue.mask[0, 0] = True
    with pytest.raises(NoTissueError, match="min_tissue"):
        run(classify(pyramid(stained_slide), mean_colour(), CPU, tissue=tissue))


def test_missing_pixel_size_is_an_error(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    with pytest.raises(MissingSpacingError, match="--mpp"):
        run(classify(pyramid(stained_slide, None), mean_colour(), CPU, out=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_photograph_is_classified_in_its_own_pixels(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    source = pyramid(stained_slide, None, kind="photo", path=Path("eye.jpg"))
    note, *_, finished = classify(source, mean_colour(), CPU, out=tmp_path)
    assert isinstance(note, Noted)
    assert "32 × 32" in note.message
    assert np.isfinite(finished.result.probabilities).all()
    assert (tmp_path / "eye.ome.tiff").is_file()


def test_volume_and_segmentation_model_are_refused(pyramid, stained_slide, mean_colour) -> None:
    from dataclasses import replace

    with pytest.raises(WrongKindError, match="volume"):
        run(classify(pyramid(stained_slide, kind="volume"), mean_colour(), CPU))
    bundle = mean_colour()
    bundle.card = replace(bundle.card, task="segment-2d")
    with pytest.raises(BundleError, match="segment-2d"):
        run(classify(pyramid(stained_slide), bundle, CPU))


def test_long_search_for_tissue_can_be_stopped(pyramid, stained_slide, mean_colour, monkeypatch) -> None:
    monkeypatch.setattr("napari_medpatch.infer.tissue_search.SPEAK_SECONDS", 0.8)
    clock = iter(np.arange(0, 1000, 0.5).tolist())
    monkeypatch.setattr("napari_medpatch.infer.tissue_search.time.monotonic", lambda: next(clock))
    job = classify(pyramid(np.tile(stained_slide, (8, 6, 1))), mean_colour(), CPU)
    event = next(job)
    job.close()
    assert isinstance(event, Noted)
    assert "Looking for tissue in slide.svs" in event.message
