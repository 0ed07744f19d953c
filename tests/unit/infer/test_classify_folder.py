"""Classifying a folder of patch-sized images."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_medpatch.errors import BundleError, DamagedFileError, UnsupportedFormatError
from napari_medpatch.events import Finished, Noted, PatchesScored, Started, run
from napari_medpatch.infer.classify_folder import classify_folder
from napari_medpatch.infer.classify_result import ClassifySettings
from napari_medpatch.infer.folder_images import find_images, network_sized
from napari_medpatch.io.score_csv import read_image_scores

CPU = ClassifySettings(device="cpu")


def _colour(name: str) -> tuple[int, int, int]:
    rng = np.random.default_rng(sum(name.encode()))
    return tuple(rng.integers(0, 256, 3).tolist())


def _save(folder: Path, name: str, size: tuple[int, int] = (32, 32), **options: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, _colour(name)).save(path, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    for name, size in (("b.png", (32, 32)), ("a/2.tif", (50, 41)), ("a/1.bmp", (96, 96)), ("c.jpg", (7, 9))):
        _save(images, name, size)
    _save(images, "without_suffix", format="PNG")
    _save(images, ".hidden.png")
    (images / "labels.csv").write_text("file,label\n")
    return images


def test_finds_images_below_in_a_fixed_order(folder) -> None:
    assert find_images(folder) == ["a/1.bmp", "a/2.tif", "b.png", "c.jpg", "without_suffix"]


def test_table_has_one_row_per_image(folder, mean_colour, tmp_path) -> None:
    result = run(classify_folder(folder, mean_colour(), CPU, out=tmp_path / "out"))
    table = read_image_scores(tmp_path / "out" / "scores.csv")
    assert table.files == ("a/1.bmp", "a/2.tif", "b.png", "c.jpg", "without_suffix")
    assert np.array_equal(table.probabilities, result.scores.probabilities)
    for name, found in zip(table.files, table.probabilities, strict=True):
        exponent = np.exp((np.array(_colour(name)[:2]) / 255 - 0.5) / 0.5 * 4)
        # JPEG changes a flat colour by a grey value or two.
        np.testing.assert_allclose(found, exponent / exponent.sum(), atol=0.02 if name == "c.jpg" else 1e-4)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["scores.csv", "scores.json"]


def test_events_count_images(folder, mean_colour, tmp_path) -> None:
    settings = ClassifySettings(device="cpu", batch_size=2)
    first, *scored, last = classify_folder(folder, mean_colour(), settings, out=tmp_path)
    assert isinstance(first, Started)
    assert (first.total, first.unit) == (5, "images")
    assert all(isinstance(event, PatchesScored) for event in scored)
    assert [event.done for event in scored] == [2, 4, 5]
    assert isinstance(last, Finished)


def test_unreadable_image_is_noted_and_left_out(folder, mean_colour, tmp_path) -> None:
    (folder / "a" / "0.png").write_bytes((folder / "b.png").read_bytes()[:40])
    events = list(classify_folder(folder, mean_colour(), CPU, out=tmp_path))
    notes = [event for event in events if isinstance(event, Noted)]
    assert len(notes) == 1
    assert "0.png" in notes[0].message
    assert notes[0].level == "warning"
    result = events[-1].result
    assert result.unreadable == ("a/0.png",)
    assert len(read_image_scores(tmp_path / "scores.csv").files) == 5
    assert json.loads((tmp_path / "scores.json").read_text())["unreadable"] == ["a/0.png"]


def test_stopped_run_resumes(folder, mean_colour, tmp_path) -> None:
    settings = ClassifySettings(device="cpu", batch_size=2)
    job = classify_folder(folder, mean_colour(), settings, out=tmp_path)
    next(job)
    next(job)
    job.close()
    bundle = mean_colour()
    started, *_, finished = classify_folder(folder, bundle, settings, out=tmp_path)
    assert started.done == 2
    assert bundle.batches == [2, 2], "three are left; the last batch is filled up"
    assert np.isfinite(finished.result.scores.probabilities).all()


def test_finished_run_is_read_back_until_an_image_changes(folder, mean_colour, tmp_path) -> None:
    run(classify_folder(folder, mean_colour(), CPU, out=tmp_path))
    bundle = mean_colour()
    assert len(run(classify_folder(folder, bundle, CPU, out=tmp_path)).scores.files) == 5
    assert bundle.batches == []
    _save(folder, "d.png")
    assert len(run(classify_folder(folder, bundle, CPU, out=tmp_path)).scores.files) == 6
    assert len(bundle.batches) == 1


def test_folder_without_images_is_an_error(mean_colour, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing here")
    (tmp_path / "in" / "empty").write_text("")
    with pytest.raises(UnsupportedFormatError, match="holds no images"):
        run(classify_folder(tmp_path / "in", mean_colour(), CPU, out=tmp_path / "out"))


def test_folder_of_broken_images_is_an_error(mean_colour, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"broken")
    with pytest.raises(DamagedFileError, match="None of the 1 images"):
        run(classify_folder(tmp_path / "in", mean_colour(), CPU, out=tmp_path / "out"))
    assert not (tmp_path / "out" / "scores.csv").exists()


def test_segmentation_model_is_refused(folder, mean_colour, tmp_path) -> None:
    from dataclasses import replace

    bundle = mean_colour()
    bundle.card = replace(bundle.card, task="segment-2d")
    with pytest.raises(BundleError, match="segment-2d"):
        run(classify_folder(folder, bundle, CPU, out=tmp_path))


def test_sized_as_the_reference_transform_does(patch_card) -> None:
    import torch

    from napari_medpatch.models.preprocess import normalise_patches, reference_transform

    card = patch_card(patch_size_pixels=96)
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    ours = normalise_patches(torch.from_numpy(network_sized(pixels, card).copy())[None], card)[0]
    reference = reference_transform(Image.fromarray(pixels), card)
    np.testing.assert_allclose(ours.numpy(), reference.numpy(), atol=1e-6)
