"""Classifying when something goes wrong: one clear sentence, and nothing that was scored is lost."""

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_medpatch.errors import BundleError, DamagedFileError, OutputError, SettingsError
from napari_medpatch.events import Noted, PatchesScored, run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.infer.classify_folder import classify_folder
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.score_csv import read_image_scores, read_patch_scores

CPU = ClassifySettings(device="cpu", batch_size=8)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _told(job: Any) -> Any:
    """Leave out what a slow machine is told while it waits."""
    return (event for event in job if not isinstance(event, Noted))


def _after(job: Any, batches: int) -> int:
    """Run a job for some batches; return how many patches were scored."""
    scored = (event for event in job if isinstance(event, PatchesScored))
    return [next(scored) for _ in range(batches)][-1].done


def _fails_after(read: Any, reads: int, error: Exception) -> Any:
    """Wrap a source's ``read`` so that it fails after some reads."""
    seen = []

    def wrapped(level: int, box: Any) -> np.ndarray:
        seen.append(box)
        if len(seen) > reads:
            raise error
        return read(level, box)

    return wrapped


class _BrokenBundle:
    """A classifier whose network gives NaN from some batch on."""

    weights = None

    def __init__(self, bundle: Any, broken_from: int) -> None:
        self._bundle, self._broken_from = bundle, broken_from
        self.card, self.path = bundle.card, bundle.path

    def load(self, device: Any = "cpu") -> Any:
        import torch

        model, broken_from = self._bundle.load(device), self._broken_from

        class Broken(torch.nn.Module):
            seen = 0

            def forward(self, batch: torch.Tensor) -> torch.Tensor:
                Broken.seen += 1
                logits = model(batch)
                return logits * float("nan") if Broken.seen > broken_from else logits

        return Broken().eval()


@pytest.fixture
def one_lane(monkeypatch) -> None:
    """Let one thread run all batches: with several, which of them meets the break depends on their speed."""
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)


def test_model_with_one_logit(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    result = run(classify(pyramid(stained_slide), mean_colour(("Tumor",)), CPU, out=tmp_path))
    table = read_patch_scores(tmp_path / "slide.csv")
    assert table.class_names == ("Tumor",)
    assert 0 < table.probabilities.min() < table.probabilities.max() < 1, "a softmax of one logit would be 1"
    features = json.loads((tmp_path / "slide.geojson").read_text())["features"]
    for feature, (value,) in zip(features, table.probabilities.tolist(), strict=True):
        assert ("classification" in feature["properties"]) == (value >= 0.5)
    assert result.score["classes"]["Tumor"]["mean"] == pytest.approx(float(table.probabilities.mean()), abs=1e-6)


@pytest.mark.parametrize("classes", [("a", "b", "c", "d"), ("a", "b", "c", "d", "e")])
def test_class_count_mismatch_is_told_at_the_first_batch(
    pyramid, stained_slide, mean_colour, tmp_path, classes
) -> None:
    run(classify(pyramid(stained_slide), mean_colour(), CPU, out=tmp_path))
    before = _files(tmp_path)
    bundle = mean_colour(classes)
    sentence = rf"names {len(classes)} classes but gives an output of shape \(8, 3\).*config\.json"
    with pytest.raises(BundleError, match=sentence):
        run(classify(pyramid(stained_slide), bundle, CPU, out=tmp_path))
    assert len(bundle.batches) <= 2, "more was computed than each lane's first batch"
    assert _files(tmp_path) == before, "the results of another model were lost"


@pytest.mark.usefixtures("one_lane")
def test_logits_that_are_no_numbers_stop_the_run_and_keep_the_rest(
    pyramid, stained_slide, mean_colour, tmp_path
) -> None:
    with pytest.raises(BundleError, match=r"mean-colour gives no number .* for 8 of 8 patches; .*float32"):
        run(classify(pyramid(stained_slide), _BrokenBundle(mean_colour(), 3), CPU, out=tmp_path))
    started = next(_told(classify(pyramid(stained_slide), mean_colour(), CPU, out=tmp_path)))
    assert started.done == 24, "the three good batches are kept"
    result = run(classify(pyramid(stained_slide), mean_colour(), CPU, out=tmp_path))
    assert np.isfinite(result.probabilities[tuple(result.grid.cells.T)]).all()


def test_nothing_is_written_when_the_first_batch_is_no_number(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    with pytest.raises(BundleError, match="no number"):
        run(classify(pyramid(stained_slide), _BrokenBundle(mean_colour(), 0), CPU, out=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [DamagedFileError("slide.svs cannot be read."), OSError(errno.ESTALE, "Stale file")])
def test_slide_that_goes_away_while_it_is_read(pyramid, stained_slide, mean_colour, tmp_path, error) -> None:
    large = np.tile(stained_slide, (2, 3, 1))
    whole = run(classify(pyramid(large), mean_colour(), CPU, out=tmp_path / "whole"))
    source = pyramid(large)
    job = classify(source, mean_colour(), replace(CPU, threads=1), out=tmp_path / "out")
    assert next(_told(job)).done == 0
    source.read = _fails_after(source.read, 250, error)
    sentence = (
        r"slide\.svs was moved or deleted while it was read \(.*\); the scores of \d+ patches are kept in .*again"
    )
    with pytest.raises(DamagedFileError, match=sentence):
        list(job)
    started, *_, finished = _told(classify(pyramid(large), mean_colour(), CPU, out=tmp_path / "out"))
    assert 0 < started.done < started.total
    assert np.array_equal(finished.result.probabilities, whole.probabilities, equal_nan=True)


def test_without_a_folder_the_sentence_does_not_promise_anything(pyramid, stained_slide, mean_colour) -> None:
    source = pyramid(stained_slide)
    job = _told(classify(source, mean_colour(), CPU))
    next(job)
    source.read = _fails_after(source.read, 0, OSError("gone"))
    with pytest.raises(DamagedFileError, match="are not stored, because no output folder"):
        list(job)


def test_open_file_that_is_deleted_is_read_to_its_end_or_resumes(stained_slide, mean_colour, tmp_path) -> None:
    """Where the system keeps an open file alive, deleting it does no harm; elsewhere the run resumes."""
    path = tmp_path / "slide.tif"
    options = {"tile": (128, 128), "photometric": "rgb", "compression": "zlib"}
    tifffile.imwrite(path, stained_slide, resolution=(20000, 20000), resolutionunit="CENTIMETER", **options)
    kept = path.read_bytes()
    source = open_source(path)
    job = _told(classify(source, mean_colour(), replace(CPU, threads=1), out=tmp_path / "out"))
    next(job)
    next(job)
    path.unlink()
    try:
        result = list(job)[-1].result
    except DamagedFileError as error:
        assert "are kept in" in str(error)  # noqa: PT017
        path.write_bytes(kept)
        result = run(classify(open_source(path), mean_colour(), CPU, out=tmp_path / "out"))
    assert np.isfinite(result.probabilities[tuple(result.grid.cells.T)]).all()
    assert sorted(_files(tmp_path / "out")) == ["slide.csv", "slide.geojson", "slide.json", "slide.ome.tiff"]


@pytest.mark.parametrize("full_from", [0, 2])
def test_disk_full_while_running(pyramid, stained_slide, mean_colour, tmp_path, monkeypatch, full_from) -> None:
    monkeypatch.setattr("napari_medpatch.infer.score_store._EVERY_SECONDS", -1.0)
    real, calls = np.savez, []

    def savez(*arguments: Any, **arrays: Any) -> None:
        calls.append(1)
        if len(calls) > full_from:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments, **arrays)

    whole = run(classify(pyramid(stained_slide), mean_colour(), CPU, out=tmp_path / "whole"))
    calls.clear()
    with monkeypatch.context() as patched:
        patched.setattr(np, "savez", savez)
        with pytest.raises(
            OutputError, match=r"The disk is full: .*part-00000\d\.npz was not written; free some space"
        ):
            run(classify(pyramid(stained_slide), mean_colour(), CPU, out=tmp_path / "out"))
    assert not [name for name in _files(tmp_path / "out") if name.startswith(".tmp")]
    started, *_, finished = _told(classify(pyramid(stained_slide), mean_colour(), CPU, out=tmp_path / "out"))
    assert started.done == 8 * full_from
    assert np.array_equal(finished.result.probabilities, whole.probabilities, equal_nan=True)


@pytest.mark.parametrize("name", ["write_patch_scores", "write_patches_geojson", "_write_map", "write_json"])
def test_disk_full_while_the_results_are_written(
    pyramid, stained_slide, mean_colour, tmp_path, monkeypatch, name
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise OutputError("The disk is full: nothing was written; free some space and try again.")

    with monkeypatch.context() as patched:
        patched.setattr(f"napari_medpatch.infer.classify_outputs.{name}", full)
        with pytest.raises(OutputError, match="The disk is full"):
            run(classify(pyramid(stained_slide), mean_colour(), CPU, out=tmp_path))
    assert not (tmp_path / "slide.json").exists(), "a record vouches for results that are not there"
    bundle = mean_colour()
    started, *_, finished = _told(classify(pyramid(stained_slide), bundle, CPU, out=tmp_path))
    assert bundle.batches == []
    assert started.done == started.total
    assert all(path.is_file() for path in finished.result.files)


def test_impossible_settings_are_refused_before_anything_is_read(pyramid, stained_slide, mean_colour) -> None:
    source = pyramid(stained_slide)
    with pytest.raises(SettingsError, match="exclude each other"):
        next(classify(source, mean_colour(), replace(CPU, tta=2, exact=True)))
    assert source.reads == []


def test_model_without_dropout_is_told_at_once(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    with pytest.raises(BundleError, match="mean-colour has no dropout"):
        run(classify(pyramid(stained_slide), mean_colour(), replace(CPU, mc_dropout=3), out=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def pictures(tmp_path) -> Path:
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path / "pictures"


@pytest.mark.usefixtures("one_lane")
def test_folder_with_a_model_that_gives_no_numbers(pictures, mean_colour, tmp_path) -> None:
    settings = replace(CPU, batch_size=2)
    with pytest.raises(BundleError, match="no number"):
        run(classify_folder(pictures, _BrokenBundle(mean_colour(), 3), settings, out=tmp_path / "out"))
    assert next(classify_folder(pictures, mean_colour(), settings, out=tmp_path / "out")).done == 6


def test_folder_has_uncertainty_and_resumes_with_it(pictures, mean_colour, tmp_path) -> None:
    settings = replace(CPU, batch_size=4, tta=3)
    whole = run(classify_folder(pictures, mean_colour(), settings, out=tmp_path / "whole")).scores
    assert (whole.extras["uncertainty"] > 0).all()
    _after(job := classify_folder(pictures, mean_colour(), settings, out=tmp_path / "out"), 1)
    job.close()
    started, again, *_, finished = classify_folder(
        pictures, mean_colour(), replace(settings, batch_size=3), out=tmp_path / "out"
    )
    assert started.done == 4
    assert "batches of 4, not 3" in again.message
    assert (tmp_path / "out" / "scores.csv").read_bytes() == (tmp_path / "whole" / "scores.csv").read_bytes()
    table = read_image_scores(tmp_path / "out" / "scores.csv")
    assert np.array_equal(table.extras["uncertainty"], finished.result.scores.extras["uncertainty"])
    head = (tmp_path / "out" / "scores.csv").read_text().splitlines()[0]
    assert head == "file,prob_other,prob_tumour,uncertainty"
