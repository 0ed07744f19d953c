"""``napari-medpatch explain``."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_medpatch.cli.main import main
from napari_medpatch.io.ome import read_ome_geometry
from napari_medpatch.samples import sample_path

MODEL = "tissue-patches-demo"


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(sample_path("slide"), tmp_path_factory.mktemp("slide") / "phantom.tiff"))


def explain(slide: Path, *options: str) -> int:
    return main(["explain", str(slide), "--model", MODEL, "--device", "cpu", "--quiet", *options])


def test_a_region_becomes_a_calibrated_map(slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cam.ome.tiff"
    options = ("--region", "300,200,400,300", "--class", "Tumor", "--everywhere", "--json", "-o", str(out))
    assert explain(slide, *options) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["class"] == "tumor"
    assert record["output"] == str(out)
    facts = read_ome_geometry(out)
    assert facts is not None
    assert facts.pixel_size is not None
    spacing = record["source"]["spacing"]
    first = np.asarray(facts.origin) / spacing - (np.asarray(facts.pixel_size) / spacing - 1) / 2
    np.testing.assert_allclose(first, record["grid"]["origin_px"], atol=1e-6)
    assert (first <= (200, 300)).all()
    values = tifffile.imread(out).squeeze()
    extent = np.asarray(values.shape) * record["grid"]["step_px"]
    assert (first + extent >= (500, 700)).all()
    assert np.isfinite(values).all()
    assert 0 <= values.min() < values.max() == 1


def test_polygons_and_a_named_layer(slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ring = [[300, 200], [600, 200], [300, 500], [300, 200]]
    roi = tmp_path / "roi.geojson"
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation"}}
    roi.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    out = tmp_path / "cam.ome.tiff"
    assert explain(slide, "--roi", str(roi), "--everywhere", "--layer", "blocks", "-o", str(out)) == 0
    assert "at layer blocks" in capsys.readouterr().out
    known = np.isfinite(tifffile.imread(out)).mean()
    assert 0.4 < known < 0.6


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--class", "tumour", "-o", "x.ome.tiff"), "has no class 'tumour'; did you mean tumor?"),
        (("--layer", "blocs", "-o", "x.ome.tiff"), "Layer 'blocs' of tissue-patches-demo does not exist; did you mean"),
        (("--region", "90000,0,10,10", "-o", "x.ome.tiff"), "lies outside the image"),
        (("--roi", "absent.geojson", "-o", "x.ome.tiff"), "absent.geojson cannot be read"),
        (("-o", "x.png"), "the map is an OME-TIFF"),
        (("--device", "cuda:99", "-o", "x.ome.tiff"), "CUDA device"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options, sentence
) -> None:
    monkeypatch.chdir(tmp_path)
    assert explain(slide, *options) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize("region", ["1,2,3", "a,b,c,d", "0,0,0,5"])
def test_a_region_that_is_none_is_refused(slide: Path, region: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        explain(slide, "--region", region, "-o", "x.ome.tiff")
    assert stopped.value.code == 2
    assert "is not a region X,Y,W,H" in capsys.readouterr().err
