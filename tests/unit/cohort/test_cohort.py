"""Many slides on this machine."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_slides import write_slide

from napari_medpatch.cohort.many import classify_many
from napari_medpatch.errors import BundleError, GeometryError, ResourceError, SettingsError
from napari_medpatch.events import Finished, SlideDone, SlideProgress, Started, run
from napari_medpatch.infer.classify import ClassifySettings
from napari_medpatch.io.score_csv import read_patch_scores

CPU = ClassifySettings(device="cpu", batch_size=8)


@pytest.fixture
def slides(tmp_path: Path) -> list[Path]:
    return [write_slide(tmp_path / f"slide{n}.tiff", 60 + 20 * n, n) for n in range(3)]


def _states(result) -> list[str]:
    return [slide.state for slide in result.slides]


def test_events_count_slides(slides, mean_colour, tmp_path) -> None:
    events = list(classify_many(slides, mean_colour(), CPU, tmp_path / "out"))
    assert events[0] == Started(3, "slides", context={"paths": [str(path) for path in slides]})
    progress = [event.done for event in events if isinstance(event, SlideProgress | SlideDone)]
    assert progress == sorted(progress)
    assert progress[-1] == 3
    inside = [event for event in events if isinstance(event, SlideProgress) and 0 < event.patches < event.total]
    assert inside, "patches of a slide are told, not whole slides only"
    assert isinstance(events[-1], Finished)
    assert _states(events[-1].result) == ["done"] * 3
    assert all((tmp_path / "out" / f"slide{n}.json").is_file() for n in range(3))


def test_a_bad_slide_does_not_stop_the_others(slides, mean_colour, tmp_path) -> None:
    slides[1].write_bytes(slides[1].read_bytes()[:300])
    result = run(classify_many([*slides, tmp_path / "absent.svs"], mean_colour(), CPU, tmp_path / "out"))
    assert _states(result) == ["done", "failed", "done", "failed"]
    assert [slide.path for slide in result.failed] == [str(slides[1]), str(tmp_path / "absent.svs")]
    assert "slide1.tiff" in result.failed[0].reason
    assert result.slides[0].patches > 10
    assert result.slides[0].score["classes"]["tumour"]["mean"] > 0


def test_finished_slides_are_skipped_without_scoring(slides, mean_colour, tmp_path) -> None:
    run(classify_many(slides[:2], mean_colour(), CPU, tmp_path / "out"))
    bundle = mean_colour()
    first, second, third = run(classify_many(slides, bundle, CPU, tmp_path / "out")).slides
    assert [first.state, second.state, third.state] == ["skipped", "skipped", "done"]
    assert sum(bundle.batches) >= third.patches
    assert first.score["patches"] == first.patches > 0
    bundle.batches.clear()
    run(classify_many(slides, bundle, CPU, tmp_path / "out"))
    assert bundle.batches == []


def test_the_model_is_loaded_once(slides, mean_colour, tmp_path, monkeypatch) -> None:
    bundle, loads = mean_colour(), []
    load = bundle.load
    monkeypatch.setattr(bundle, "load", lambda device: loads.append(device) or load(device))
    result = run(classify_many(slides, bundle, CPU, tmp_path / "out"))
    assert _states(result) == ["done"] * 3
    assert len(loads) == 1


def test_a_stopped_run_goes_on_within_the_slide(slides, mean_colour, tmp_path) -> None:
    job = classify_many(slides, mean_colour(), CPU, tmp_path / "out")
    for event in job:
        if isinstance(event, SlideProgress) and event.path == str(slides[1]) and event.patches:
            break
    job.close()
    result = run(classify_many(slides, mean_colour(), CPU, tmp_path / "out"))
    assert _states(result) == ["skipped", "done", "done"]
    assert result.slides[1].provenance["resumed"] > 0
    run(classify_many(slides[1:2], mean_colour(), CPU, tmp_path / "unbroken"))
    for name in ("slide1.csv", "slide1.geojson"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes()


def test_two_slides_of_one_name_do_not_overwrite_one_another(mean_colour, tmp_path) -> None:
    first = write_slide(tmp_path / "a" / "x.tiff", 60)
    second = write_slide(tmp_path / "b" / "X.svs", 90)
    result = run(classify_many([first, second], mean_colour(), CPU, tmp_path / "out"))
    assert _states(result) == ["done", "failed"]
    assert str(first) in result.slides[1].reason
    assert "another folder" in result.slides[1].reason
    record = json.loads((tmp_path / "out" / "x.json").read_text())
    assert record["source"]["file"] == str(first)


def test_a_model_at_fault_ends_the_run(slides, mean_colour, tmp_path, monkeypatch) -> None:
    bundle = mean_colour()

    def broken(device: object) -> None:
        raise BundleError("The weights are altered.")

    monkeypatch.setattr(bundle, "load", broken)
    with pytest.raises(BundleError, match="altered"):
        run(classify_many(slides, bundle, CPU, tmp_path / "out"))


def test_a_device_that_is_not_there_is_told_once(slides, mean_colour, tmp_path) -> None:
    job = classify_many(slides, mean_colour(), ClassifySettings(device="cuda:99"), tmp_path / "out")
    with pytest.raises(ResourceError, match=r"(?i)cuda"):
        next(job)


def test_settings_that_make_no_sense_are_told_once(slides, mean_colour, tmp_path) -> None:
    with pytest.raises(SettingsError, match="tta"):
        next(classify_many(slides, mean_colour(), ClassifySettings(tta=-1), tmp_path / "out"))
    with pytest.raises(GeometryError, match="hexagons"):
        next(classify_many(slides, mean_colour(), ClassifySettings(tiling="hexagons"), tmp_path / "out"))


def test_a_defect_that_one_slide_uncovers_fails_that_slide(slides, mean_colour, tmp_path, monkeypatch, caplog) -> None:
    from napari_medpatch.io import detect

    opened = detect.open_source

    def brittle(path: str, **options: object) -> object:
        if "slide0" in str(path):
            raise ValueError("codec\nsurprise")
        return opened(path, **options)

    monkeypatch.setattr(detect, "open_source", brittle)
    result = run(classify_many(slides[:2], mean_colour(), CPU, tmp_path / "out"))
    assert _states(result) == ["failed", "done"]
    assert result.slides[0].reason == "Unexpected ValueError: codec surprise"
    assert "slide0" in caplog.text


def test_a_folder_of_patches_among_slides(slides, mean_colour, tmp_path) -> None:
    folder = tmp_path / "patches"
    folder.mkdir()
    for n in range(3):
        Image.new("RGB", (32, 32), (60 * n, 100, 100)).save(folder / f"{n}.png")
    result = run(classify_many([slides[0], folder], mean_colour(), CPU, tmp_path / "out"))
    assert _states(result) == ["done", "done"]
    assert result.slides[1].patches == 3
    assert (tmp_path / "out" / "scores.csv").is_file()


def _rectangle(path: Path, x0: int, y0: int, x1: int, y1: int) -> Path:
    ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def test_a_region_of_each_slide(slides, mean_colour, tmp_path) -> None:
    regions = tmp_path / "regions"
    regions.mkdir()
    _rectangle(regions / "slide0.geojson", 0, 0, 160, 400)
    result = run(classify_many(slides[:2], mean_colour(), CPU, tmp_path / "out", roi=regions))
    assert _states(result) == ["done", "failed"]
    assert "no region of slide1.tiff" in result.slides[1].reason
    boxes = read_patch_scores(tmp_path / "out" / "slide0.csv").boxes
    assert len(boxes) > 0
    assert (boxes[:, [1, 3]].mean(axis=1) <= 160).all()


def test_a_mask_instead_of_the_automatic_one(slides, mean_colour, tmp_path) -> None:
    mask = np.zeros((32, 32), np.uint8)
    mask[:16] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (slide,) = run(classify_many(slides[:1], mean_colour(), CPU, tmp_path / "out", tissue=tmp_path / "mask.png")).slides
    assert slide.state == "done"
    boxes = read_patch_scores(tmp_path / "out" / "slide0.csv").boxes
    assert (boxes[:, [0, 2]].mean(axis=1) <= 160).all()
    assert boxes[:, 1].min() == 0, "glass too, where the mask says so"
