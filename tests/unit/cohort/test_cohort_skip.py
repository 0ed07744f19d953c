"""Finished slides are told by their records, and only by those that tell enough."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from small_slides import write_slide

from napari_medpatch.cohort.many import classify_many
from napari_medpatch.cohort.model import digest_of
from napari_medpatch.cohort.plan import SlideTask, plan
from napari_medpatch.cohort.skip import earlier_result
from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings
from napari_medpatch.io.detect import open_source
from napari_medpatch.patches.kept_tissue import keep_edited_tissue
from napari_medpatch.patches.tissue import tissue_mask

CPU = ClassifySettings(device="cpu", batch_size=8)


@pytest.fixture
def bundle(mean_colour):
    return mean_colour()


@pytest.fixture
def task(bundle, tmp_path: Path) -> SlideTask:
    """A slide that was classified."""
    slide = write_slide(tmp_path / "slide.tiff", 60)
    run(classify_many([slide], bundle, CPU, tmp_path / "out"))
    return plan([slide], tmp_path / "out", CPU)[0]


def _earlier(task: SlideTask, bundle) -> object:
    source = open_source(task.file, mpp=task.mpp)
    try:
        return earlier_result(source, task, digest_of(bundle))
    finally:
        source.close()


def test_a_finished_slide_is_told_by_its_record(task, bundle, monkeypatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a finished slide is not classified")

    monkeypatch.setattr("napari_medpatch.infer.classify.classify", never)
    (slide,) = run(classify_many([task.path], bundle, CPU, task.out)).slides
    record = json.loads((Path(task.out) / "slide.json").read_text())
    assert (slide.state, slide.patches) == ("skipped", record["patches"])
    assert slide.score == record["score"]
    assert [Path(file).name for file in slide.files] == ["slide.csv", "slide.geojson", "slide.ome.tiff", "slide.json"]


def test_how_it_is_computed_does_not_matter(task, bundle) -> None:
    assert _earlier(replace(task, settings=replace(CPU, batch_size=2, threads=3)), bundle) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"overlap": 0.5},
        {"exact": True},
        {"tta": 2},
        {"compress": True},
        {"top_k": 3},
        {"resume": False},
        {"tiling": "strip"},
    ],
)
def test_other_settings_are_another_run(task, bundle, changes) -> None:
    assert _earlier(replace(task, settings=replace(CPU, **changes)), bundle) is None


def test_another_pixel_size_is_another_run(task, bundle) -> None:
    assert _earlier(task, bundle) is not None
    assert _earlier(replace(task, mpp=(0.4, 0.4)), bundle) is None


def test_another_model_is_another_run(task, mean_colour) -> None:
    assert _earlier(task, mean_colour(("other", "lesion"))) is None


@pytest.mark.parametrize("name", ["slide.csv", "slide.geojson", "slide.ome.tiff", "slide.json"])
def test_a_missing_file_is_written_again(task, bundle, name) -> None:
    (Path(task.out) / name).unlink()
    assert _earlier(task, bundle) is None
    (slide,) = run(classify_many([task.path], bundle, CPU, task.out)).slides
    assert slide.state in ("done", "skipped")
    assert (Path(task.out) / name).is_file()


def test_a_changed_slide_is_another_slide(task, bundle) -> None:
    os.utime(task.file, ns=(1, 1))
    assert _earlier(task, bundle) is None


def test_a_corrected_mask_makes_it_another_run(task, bundle) -> None:
    source = open_source(task.file)
    keep_edited_tissue(source, tissue_mask(source))
    source.close()
    assert _earlier(task, bundle) is None


def test_regions_and_masks_are_compared_by_their_patches(task, bundle, tmp_path) -> None:
    Image.new("L", (16, 16), 255).save(tmp_path / "mask.png")
    given = replace(task, tissue=str(tmp_path / "mask.png"))
    assert _earlier(given, bundle) is None
    first = run(classify_many([task.path], bundle, CPU, tmp_path / "masked", tissue=tmp_path / "mask.png"))
    again = run(classify_many([task.path], bundle, CPU, tmp_path / "masked", tissue=tmp_path / "mask.png"))
    assert [first.slides[0].state, again.slides[0].state] == ["done", "skipped"]
    assert _earlier(replace(task, out=str(tmp_path / "masked")), bundle) is None
