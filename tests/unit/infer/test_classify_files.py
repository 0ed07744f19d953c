"""The files of a classified slide, read as others read them."""

import csv
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qupath_import import import_objects

from napari_medpatch.errors import OutputError
from napari_medpatch.events import Noted, PatchesScored, Started, run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.infer.classify_outputs import ClassifyFiles
from napari_medpatch.io.raster import read_raster
from napari_medpatch.patches.roi import Region
from napari_medpatch.patches.tissue import TissueMask

MPP = (0.4, 0.5)
CPU = ClassifySettings(device="cpu", overlap=0.25, seed=4)


class ColourMil:
    """A slide classifier whose logits are the mean red and green, and whose attention is the mean blue."""

    weights = None
    path = Path("colour-mil")

    def __init__(self, card: Any) -> None:
        self.card = replace(card, task="slide-mil", threshold=0.4)

    def load(self, device: Any = "cpu") -> Any:
        import torch

        class Network(torch.nn.Module):
            def forward(self, batch: torch.Tensor) -> torch.Tensor:
                return batch.mean(dim=(2, 3)) * torch.tensor([4.0, 4.0, 6.0])

        return Network().to(device).eval()


@pytest.fixture
def slide(pyramid, stained_slide) -> Any:
    return pyramid(stained_slide, MPP)


@pytest.fixture
def everything(slide, patch_card, tmp_path) -> Any:
    """Classify with all extras there are, into ``tmp_path``."""
    tissue = TissueMask(np.ones((1, 1), bool), (600.0, 800.0))
    return run(classify(slide, ColourMil(patch_card()), replace(CPU, tta=2), out=tmp_path, tissue=tissue))


def _boxes_in_order(result: Any) -> np.ndarray:
    cells = result.grid.cells[np.lexsort((result.grid.cells[:, 1], result.grid.cells[:, 0]))]
    return result.grid.boxes(cells)


def test_table_has_wsinfers_columns_then_the_extras(everything, tmp_path) -> None:
    with (tmp_path / "slide.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    head = ["minx", "miny", "width", "height", "prob_other", "prob_tumour", "uncertainty", "attention"]
    assert list(rows[0]) == head
    found = np.array([[float(row[name]) for name in head] for row in rows])
    y0, x0, y1, x1 = _boxes_in_order(everything).T
    assert np.array_equal(found[:, :4], np.stack([x0, y0, x1 - x0, y1 - y0], axis=1))
    np.testing.assert_allclose(found[:, 4:6].sum(axis=1), 1, atol=1e-5)
    assert (found[:, 6] > 0).any()
    assert found[:, 7].max() == 1
    assert found[:, 7].min() >= 0


@pytest.mark.parametrize("compress", [False, True])
def test_qupath_imports_every_tile(slide, mean_colour, tmp_path, compress) -> None:
    settings = replace(CPU, tta=1, compress=compress)
    result = run(classify(slide, mean_colour(threshold=0.4), settings, out=tmp_path))
    path = tmp_path / f"slide.geojson{'.gz' if compress else ''}"
    assert path in result.files
    objects = import_objects(path)
    boxes = _boxes_in_order(result)
    assert [found.bounds for found in objects] == [(x0, y0, x1, y1) for y0, x0, y1, x1 in boxes.tolist()]
    assert {found.kind for found in objects} == {"tile"}
    names = {"prob_other", "prob_tumour", "uncertainty"}
    for found in objects:
        assert set(found.measurements) == names
        tumour = found.measurements["prob_tumour"] >= 0.4
        assert found.path_class == ("tumour" if tumour else "other")
    assert len({(found.path_class, found.colour) for found in objects}) == len({o.path_class for o in objects})


def test_map_lies_where_the_patches_were(everything, tmp_path) -> None:
    """The centre of the first pixel of the slide is 0; a cell's value lies at the centre of its patch."""
    with tifffile.TiffFile(tmp_path / "slide.ome.tiff") as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        values = tiff.asarray()
    assert [channel["Name"] for channel in pixels["Channel"]] == ["other", "tumour", "uncertainty", "attention"]
    assert pixels["PhysicalSizeX"] == pytest.approx(everything.grid.stride_px[1] * MPP[1])
    assert pixels["PhysicalSizeXUnit"] == "µm"
    row, col = everything.grid.cells[-1]
    y0, x0, y1, x1 = everything.grid.boxes()[-1]
    for axis, index, start, end, mpp in (("Y", row, y0, y1, MPP[0]), ("X", col, x0, x1, MPP[1])):
        centre = (pixels["Plane"][0][f"Position{axis}"] + index * pixels[f"PhysicalSize{axis}"]) / mpp
        assert centre == pytest.approx((start + end - 1) / 2), "half a pixel off"
    expected = [*np.moveaxis(everything.probabilities, -1, 0), everything.extras["uncertainty"]]
    assert np.array_equal(values[:3], np.stack(expected), equal_nan=True)
    ours = read_raster(tmp_path / "slide.ome.tiff")
    assert ours.axes == "CYX"
    assert ours.channel_names == ours.note.class_names == ("other", "tumour", "uncertainty", "attention")
    assert ours.origin == pytest.approx([(p - 1) / 2 * m for p, m in zip(everything.grid.patch_px, MPP, strict=True)])
    assert np.array_equal(ours.values, values, equal_nan=True)


def test_record_tells_what_was_done_with_what(slide, patch_card, tmp_path) -> None:
    region = Region((np.array([[100.0, 200], [100, 600], [500, 600], [500, 200]]),))
    run(classify(slide, ColourMil(patch_card()), replace(CPU, top_k=3), out=tmp_path, roi=region))
    record = json.loads((tmp_path / "slide.json").read_text())
    assert set(record["versions"]) >= {"napari_medpatch", "torch", "numpy", "python"}
    assert len(record["model"]["digest"]) == 64
    assert record["source"]["spacing"] == list(MPP)
    assert record["source"]["spacing_origin"] == "test"
    assert datetime.fromisoformat(record["started"]).utcoffset().total_seconds() == 0
    assert record["seconds"] > 0
    assert (record["device"], record["precision"]) == ("cpu", "float32")
    assert record["settings"]["top_k"] == record["score"]["top_k"] == 3
    assert record["roi"] == {"polygons": 1, "area_px": 160000.0, "area_um2": 32000.0}
    assert record["extras"] == ["attention"]


def test_slide_score_pools_by_attention(everything, slide, tmp_path) -> None:
    score = json.loads((tmp_path / "slide.json").read_text())["score"]
    assert score == everything.score
    weights = np.exp(everything.extras["attention"].astype(float))
    logits = np.log(everything.probabilities.astype(float))
    scored = np.isfinite(weights)
    pooled = np.exp((weights[scored] / weights[scored].sum()) @ logits[scored])
    assert list(score["attention"].values()) == pytest.approx((pooled / pooled.sum()).tolist(), abs=1e-5)
    assert score["attention"]["tumour"] != pytest.approx(score["classes"]["tumour"]["mean"], abs=1e-3)


def test_finished_run_is_read_back_with_its_extras(everything, slide, patch_card, tmp_path) -> None:
    bundle = ColourMil(patch_card())
    bundle.load = lambda device="cpu": pytest.fail("the model was loaded")
    tissue = TissueMask(np.ones((1, 1), bool), (600.0, 800.0))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    started, scored, finished = classify(slide, bundle, replace(CPU, tta=2), out=tmp_path, tissue=tissue)
    assert isinstance(started, Started)
    assert isinstance(scored, PatchesScored)
    assert started.context["extra_names"] == tuple(scored.extras) == ("uncertainty", "attention")
    assert finished.result.score == everything.score
    assert np.array_equal(finished.result.extras["uncertainty"], everything.extras["uncertainty"], equal_nan=True)
    found, expected = (result.extras["attention"] for result in (finished.result, everything))
    np.testing.assert_allclose(found, expected - np.nanmax(expected), atol=1e-4)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_that_are_wanted_otherwise_are_written_without_scoring(slide, mean_colour, tmp_path) -> None:
    run(classify(slide, mean_colour(), CPU, out=tmp_path))
    plain = import_objects(tmp_path / "slide.geojson")
    bundle = mean_colour()
    run(classify(slide, bundle, replace(CPU, compress=True, top_k=2), out=tmp_path))
    assert bundle.batches == []
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["slide.csv", "slide.geojson.gz", "slide.json", "slide.ome.tiff"]
    assert import_objects(tmp_path / "slide.geojson.gz") == plain
    record = json.loads((tmp_path / "slide.json").read_text())
    assert record["score"]["top_k"] == record["settings"]["top_k"] == 2
    assert record["settings"]["compress"] is True


def test_scores_outlive_a_second_writing_that_fails(slide, mean_colour, tmp_path, monkeypatch) -> None:
    run(classify(slide, mean_colour(), CPU, out=tmp_path))
    packed = replace(CPU, compress=True)
    with monkeypatch.context() as patched:
        full = OutputError("The disk is full.")
        patched.setattr("napari_medpatch.infer.classify_outputs.write_json", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(OutputError, match="full"):
            run(classify(slide, mean_colour(), packed, out=tmp_path))
    bundle = mean_colour()
    result = run(classify(slide, bundle, packed, out=tmp_path))
    assert bundle.batches == []
    assert all(path.is_file() for path in result.files)


@pytest.mark.parametrize(
    ("change", "again"),
    [({"tta": 1}, True), ({"tta": 0, "seed": 9}, False), ({"top_k": 4}, False), ({"stride_um": 20.0}, True)],
)
def test_only_what_changes_scores_makes_a_new_run(slide, mean_colour, tmp_path, change, again) -> None:
    run(classify(slide, mean_colour(), CPU, out=tmp_path))
    bundle = mean_colour()
    run(classify(slide, bundle, replace(CPU, **change), out=tmp_path))
    assert bool(bundle.batches) == again


def test_live_scores_equal_the_stored_ones(slide, mean_colour) -> None:
    job = classify(slide, mean_colour(), replace(CPU, tta=2))
    started, *scored, finished = (event for event in job if not isinstance(event, Noted))
    cells = np.concatenate([event.cells for event in scored])
    spread = np.concatenate([event.extras["uncertainty"] for event in scored])
    assert np.array_equal(finished.result.extras["uncertainty"][tuple(cells.T)], spread)
    assert len(cells) == started.total


def test_what_a_killed_process_left_half_written_is_swept(slide, mean_colour, tmp_path) -> None:
    left = [tmp_path / f".tmp-abc-{name}" for name in ("slide.csv", "slide.ome.tiff", "other.csv")]
    for path in left:
        path.write_text("half")
    run(classify(slide, mean_colour(), CPU, out=tmp_path))
    assert [path.exists() for path in left] == [False, False, True]
    assert ClassifyFiles(tmp_path, "slide").complete


def test_run_that_goes_on_reads_the_level_of_the_stopped_one(pyramid, stained_slide, mean_colour, tmp_path) -> None:
    """The levels are compared once, and not again with what may be another device."""
    source = pyramid(stained_slide, (0.125, 0.125), (2.0, 4.0))
    tissue = TissueMask(np.ones((1, 1), bool), (600.0, 800.0))
    settings = ClassifySettings(device="cpu", batch_size=4, overlap=0.75)
    job = classify(source, mean_colour(), settings, out=tmp_path, tissue=tissue)
    scored = next(event for event in job if isinstance(event, PatchesScored))
    job.close()
    run_note = tmp_path / "slide.parts" / "run.json"
    level = json.loads(run_note.read_text())["level"]
    other = 2 if level == 0 else 0
    run_note.write_text(json.dumps(json.loads(run_note.read_text()) | {"level": other}))
    started, *_, finished = classify(source, mean_colour(), settings, out=tmp_path, tissue=tissue)
    assert started.done == scored.done
    assert finished.result.provenance["grid"]["level"] == other
