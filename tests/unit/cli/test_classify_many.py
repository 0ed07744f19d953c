"""``classify`` with several paths: table, JSON, exit codes; and its options."""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import tifffile

from napari_medpatch.cli import main
from napari_medpatch.cli.classify_options import add_patch_options, add_score_options, settings_of
from napari_medpatch.cohort.outcome import CohortResult, SlideOutcome
from napari_medpatch.errors import SettingsError
from napari_medpatch.events import Finished, SlideDone, Started
from napari_medpatch.infer.classify_result import DEFAULTS, ClassifySettings

MODEL = "tissue-patches-demo"


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """A pattern of two slides, one of them damaged."""
    import numpy as np

    rng = np.random.default_rng(0)
    pixels = np.full((700, 700, 3), 240, np.uint8)
    pixels[150:550, 150:550] = rng.integers([120, 40, 120], [200, 110, 200], (400, 400, 3))
    options: dict[str, Any] = {"photometric": "rgb", "resolution": (20000.0, 20000.0), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "good.tiff", pixels, tile=(256, 256), **options)
    (tmp_path / "bad.tiff").write_bytes((tmp_path / "good.tiff").read_bytes()[:200])
    return tmp_path / "*.tiff"


def _classify(*arguments: object) -> int:
    return main(["classify", *map(str, arguments), "--quiet"])


def test_a_bad_slide_gives_2_and_a_line_in_the_table(slides, tmp_path, capsys) -> None:
    assert _classify(slides, "-m", MODEL, "-o", tmp_path / "out", "--device", "cpu") == 2
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert len(lines) == 4
    assert lines[1].split()[:2] == [str(tmp_path / "bad.tiff"), "failed"]
    assert lines[2].split()[:2] == [str(tmp_path / "good.tiff"), "done"]
    assert lines[3] == "1 done, 0 skipped, 1 failed"
    assert "1 of 2 failed" in shown.err
    assert (tmp_path / "out" / "good.json").is_file()


def test_json_is_alone_on_stdout(slides, tmp_path, capsys) -> None:
    (tmp_path / "bad.tiff").unlink()
    arguments = [slides, tmp_path / "absent.svs", "-m", MODEL, "-o", tmp_path / "out", "--device", "cpu", "--json"]
    assert _classify(*arguments) == 2
    shown = capsys.readouterr()
    good, absent = json.loads(shown.out)
    assert (good["state"], absent["state"]) == ("done", "failed")
    assert good["patches"] > 0
    assert set(good["files"]) == {
        str(tmp_path / "out" / f"good{end}") for end in (".csv", ".geojson", ".ome.tiff", ".json")
    }
    assert "absent.svs" in absent["reason"]
    assert "1 done, 0 skipped, 1 failed" in shown.err


def test_success_is_0_and_a_single_slide_has_no_table(slides, tmp_path, capsys) -> None:
    (tmp_path / "bad.tiff").unlink()
    arguments = [slides, "-m", MODEL, "-o", tmp_path / "out", "--device", "cpu", "--gzip", "--top-k", 3]
    assert _classify(*arguments) == 0
    assert capsys.readouterr().out.startswith(f"wrote {tmp_path / 'out' / 'good.csv'}")
    assert (tmp_path / "out" / "good.geojson.gz").is_file()
    assert json.loads((tmp_path / "out" / "good.json").read_text())["score"]["top_k"] == 3


def test_ctrl_c_tells_what_is_finished(slides, tmp_path, capsys, monkeypatch) -> None:
    def interrupted(paths: list[str], *_: object, **__: object) -> Any:
        yield Started(2, "slides")
        yield SlideDone(1, SlideOutcome(paths[0], "done", 5))
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_medpatch.cohort.many.classify_many", interrupted)
    assert _classify(slides, "-m", MODEL, "-o", tmp_path / "out") == 130
    shown = capsys.readouterr()
    assert "1 done, 0 skipped, 0 failed" in shown.out
    assert "napari-medpatch: stopped" in shown.err
    assert "kept" not in shown.err, "nothing lies in the folder"


def test_the_cluster_takes_a_single_slide_too(slides, tmp_path, monkeypatch) -> None:
    given: dict[str, Any] = {}

    def remembered(paths: list[str], *_: object, **options: object) -> Any:
        given.update(options, paths=paths, level=logging.getLogger("distributed.client").level)
        yield SlideDone(1, SlideOutcome(paths[0], "done", 5))
        yield Finished(CohortResult(()))

    monkeypatch.setattr("napari_medpatch.cohort.many.classify_many", remembered)
    slide = tmp_path / "good.tiff"
    arguments = [slide, "-m", MODEL, "-o", tmp_path / "out", "--scheduler", "tcp://host:8786", "--roi", "r.geojson"]
    assert _classify(*arguments) == 0
    assert given["paths"] == [str(slide)]
    assert given["scheduler"] == "tcp://host:8786"
    assert given["roi"] == Path("r.geojson")
    assert given["level"] > logging.CRITICAL, "dask's own log stays off the terminal"
    assert logging.getLogger("distributed.client").level <= logging.CRITICAL


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--overlap", "1"], "--overlap"),
        (["--overlap", "nan"], "--overlap"),
        (["--stride", "0"], "--stride"),
        (["--stride", "50", "--overlap", "0.5"], "--overlap"),
        (["--min-tissue", "1.5"], "--min-tissue"),
        (["--tta", "-1"], "--tta"),
        (["--mc-dropout", "-2"], "--mc-dropout"),
        (["--mc-dropout", "1"], "2 or more"),
        (["--tta", "3", "--exact"], "exact"),
        (["--top-k", "0"], "--top-k"),
        (["--seed", "-1"], "--seed"),
        (["--tiling", "hexagons"], "wsinfer"),
        (["--roi", "absent.geojson"], "absent.geojson"),
        (["--tissue", "absent.png"], "absent.png"),
        (["--model", "nothing"], "nothing"),
    ],
)
def test_bad_values_are_one_sentence(slides, tmp_path, capsys, options, word) -> None:
    assert _classify(tmp_path / "good.tiff", "-m", MODEL, "-o", tmp_path / "out", *options) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.strip().splitlines()) == 1
    assert word in shown.err
    assert not (tmp_path / "out").exists()


def test_a_pattern_without_a_match(tmp_path, capsys) -> None:
    assert _classify(tmp_path / "*.ndpi", "-m", MODEL, "-o", tmp_path / "out") == 2
    assert "*.ndpi" in capsys.readouterr().err


def _parsed(*options: str) -> ClassifySettings:
    parser = argparse.ArgumentParser()
    add_patch_options(parser)
    add_score_options(parser)
    parser.set_defaults(device="auto", precision="auto")
    return settings_of(parser.parse_args(options))


def test_without_options_the_settings_are_the_defaults() -> None:
    assert _parsed() == DEFAULTS


def test_every_option_reaches_the_settings() -> None:
    options = "--stride 88 --min-tissue 0.3 --tiling strip --tta 4 --mc-dropout 5 --seed 6 --gzip --top-k 7"
    assert _parsed(*options.split(), "--no-resume", "--batch-size", "8") == ClassifySettings(
        stride_um=88.0,
        min_tissue=0.3,
        tiling="strip",
        tta=4,
        mc_dropout=5,
        seed=6,
        compress=True,
        top_k=7,
        resume=False,
        batch_size=8,
    )


def test_complaints_are_of_the_settings() -> None:
    with pytest.raises(SettingsError, match="--stride"):
        _parsed("--stride", "inf")


@pytest.mark.skipif(sys.platform == "win32", reason="brackets in names")
def test_a_name_with_brackets_is_taken_literally(slides, tmp_path, capsys) -> None:
    slide = tmp_path / "good[1].tiff"
    (tmp_path / "good.tiff").rename(slide)
    assert _classify(slide, "-m", MODEL, "-o", tmp_path / "out", "--device", "cpu") == 0
    assert (tmp_path / "out" / "good[1].csv").is_file()
