"""classify on real slides: every output is written and lands on the tissue."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from napari_medpatch.cli import main

MODEL = "tissue-patches-demo"


@pytest.fixture(scope="module")
def mosaic(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mosaic")
    slide = real_data / "wsi" / "derived_mosaic_ucsb_dev.tiff"
    assert main(["classify", str(slide), "--model", MODEL, "-o", str(folder), "--quiet"]) == 0
    return folder


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_output_is_there(mosaic: Path) -> None:
    names = {path.name for path in mosaic.iterdir()}
    stem = "derived_mosaic_ucsb_dev"
    assert {f"{stem}.csv", f"{stem}.geojson", f"{stem}.ome.tiff", f"{stem}.json"} <= names


def test_patches_lie_on_the_fields(mosaic: Path, real_data: Path) -> None:
    truth = json.loads((real_data / "wsi" / "derived_mosaic_ucsb_dev_truth.geojson").read_text())
    fields = [np.array(f["geometry"]["coordinates"][0]) for f in truth["features"]]
    boxes = [(ring[:, 0].min(), ring[:, 1].min(), ring[:, 0].max(), ring[:, 1].max()) for ring in fields]
    hits = np.zeros(len(boxes), int)
    outside = 0
    for row in _rows(mosaic / "derived_mosaic_ucsb_dev.csv"):
        x = float(row["minx"]) + float(row["width"]) / 2
        y = float(row["miny"]) + float(row["height"]) / 2
        inside = [i for i, (x0, y0, x1, y1) in enumerate(boxes) if x0 <= x <= x1 and y0 <= y <= y1]
        hits[inside] += 1
        outside += not inside
    assert hits.all(), "a field of tissue got no patch"
    assert outside <= 0.05 * hits.sum(), "patches lie on glass"


def test_geojson_and_csv_tell_the_same(mosaic: Path) -> None:
    features = json.loads((mosaic / "derived_mosaic_ucsb_dev.geojson").read_text())["features"]
    rows = _rows(mosaic / "derived_mosaic_ucsb_dev.csv")
    assert len(features) == len(rows) > 50
    corner = features[0]["geometry"]["coordinates"][0]
    xs, ys = zip(*corner, strict=True)
    key = (float(min(xs)), float(min(ys)))
    assert key in {(float(r["minx"]), float(r["miny"])) for r in rows}
    assert features[0]["properties"]["objectType"] == "tile"


def test_map_lies_over_the_slide(mosaic: Path) -> None:
    import tifffile

    from napari_medpatch.io.ome import read_ome_geometry

    with tifffile.TiffFile(mosaic / "derived_mosaic_ucsb_dev.ome.tiff") as file:
        values = file.asarray()
    geometry = read_ome_geometry(mosaic / "derived_mosaic_ucsb_dev.ome.tiff")
    rows = _rows(mosaic / "derived_mosaic_ucsb_dev.csv")
    names = [key for key in rows[0] if key.startswith("prob_")]
    row = rows[len(rows) // 2]
    centre = [(float(row[k]) + float(row[n]) / 2 - 0.5) * 0.5 for k, n in (("miny", "height"), ("minx", "width"))]
    cell = [round((c - o) / s) for c, o, s in zip(centre, geometry.origin, geometry.pixel_size, strict=True)]
    found = values.reshape(len(names), *values.shape[-2:])[:, cell[0], cell[1]]
    assert found == pytest.approx([float(row[name]) for name in names], abs=1e-4)


def test_a_single_level_aperio_slide(real_data: Path, tmp_path: Path) -> None:
    slide = real_data / "wsi" / "CMU-1-Small-Region.svs"
    assert main(["classify", str(slide), "--model", MODEL, "-o", str(tmp_path), "--quiet"]) == 0
    record = json.loads((tmp_path / "CMU-1-Small-Region.json").read_text())
    assert record, "the run record is empty"
    assert len(_rows(tmp_path / "CMU-1-Small-Region.csv")) > 20


def test_missing_mpp_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], real_data: Path) -> None:
    slide = real_data / "wsi" / "boxes.tiff"
    code = main(["classify", str(slide), "--model", MODEL, "-o", str(tmp_path), "--quiet"])
    shown = capsys.readouterr().err
    assert code == 2
    assert "--mpp" in shown
    assert len(shown.strip().splitlines()) == 1
