"""Columns of tables and keys of JSON, which programs of other people read: a change here is a change for them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mask_cases import evaluated, slab

from napari_medpatch.cli import main
from napari_medpatch.evaluate.outputs import FILES, csv_text, write_results
from napari_medpatch.evaluate.volumes import measure_mask
from napari_medpatch.events import run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask

SHAPE = (4, 20, 20)
TRUTH = slab(SHAPE, (1, 3), (4, 12), (4, 12)) + slab(SHAPE, (1, 3), (14, 18), (14, 18), value=2)
PREDICTION = np.roll(TRUTH, 1, 2)
AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])
MM = {"spacing": (2.0, 1.0, 1.0), "affine": AFFINE}

SCORES = ["dice", "iou", "sensitivity", "specificity", "precision"]
COUNTS = ["objects_detected", "objects_missed", "objects_false_positive"]
OBJECTS = [*COUNTS, "object_sensitivity", "object_precision", "object_f1"]
SIZES = ["predicted_ml", "true_ml", "predicted_voxels", "true_voxels", "difference_ml", "difference_percent"]
DISTANCES = ["assd_mm", "hd95_mm", "hd_mm", "surface_dice"]
JSON_KEYS = [
    "dice", "iou", "mean_dice", "mean_iou", "classes", "objects", "units", "shape", "compared", "settings", "notes",
    "seconds", "provenance",
]  # fmt: skip


def head(text: str) -> list[str]:
    return text.splitlines()[0].split(",")


def test_columns_of_classes() -> None:
    columns = head(csv_text(evaluated(PREDICTION, TRUTH, **MM).class_rows()))
    assert columns == ["class", "name", *SCORES, *SIZES, *DISTANCES, *OBJECTS, "remark"]


def test_columns_of_objects() -> None:
    columns = head(csv_text(evaluated(PREDICTION, TRUTH, **MM).object_rows()))
    places = ["z", "y", "x", "R_mm", "A_mm", "S_mm"]
    assert columns == ["class", "name", "object", "status", *SCORES, *SIZES, *DISTANCES, *places, "remark"]


def test_columns_of_slices() -> None:
    columns = head(csv_text(evaluated(PREDICTION, TRUTH, **MM).slice_rows()))
    assert columns == ["axis", "slice", "class", "name", "dice", "predicted_voxels", "true_voxels"]


@pytest.mark.parametrize(
    ("options", "left_out"),
    [({"surface": False}, DISTANCES), ({"objects": False}, OBJECTS)],
    ids=["surface", "objects"],
)
def test_what_nobody_asked_for_has_no_column(options: dict[str, bool], left_out: list[str]) -> None:
    columns = head(csv_text(evaluated(PREDICTION, TRUTH, **MM, **options).class_rows()))
    assert not set(left_out) & set(columns)


@pytest.mark.parametrize(
    ("unit", "spacing", "size", "length", "pixel"),
    [("um", (0.5, 0.5), "mm2", "um", "px"), ("mm", (0.5, 0.5), "mm2", "mm", "px"), ("px", None, "px", "px", "px")],
)
def test_pictures_name_their_own_units(unit: str, spacing: Any, size: str, length: str, pixel: str) -> None:
    truth, prediction = TRUTH[1], PREDICTION[1]
    columns = head(csv_text(evaluated(prediction, truth, spacing=spacing, unit=unit).class_rows()))
    wanted = [f"predicted_{size}", f"true_{size}", f"predicted_{pixel}", f"difference_{size}", f"hd95_{length}"]
    assert set(wanted) <= set(columns)
    assert len(columns) == len(set(columns))


def test_keys_of_json() -> None:
    record = evaluated(PREDICTION, TRUTH, class_names=("a", "b"), **MM).to_json()
    assert list(record) == JSON_KEYS
    assert list(record["classes"]) == ["1", "2"]
    assert set(record["classes"]["1"]) >= {"class", "name", *SCORES, *SIZES, *DISTANCES, *OBJECTS, "predicted", "true"}
    assert record["units"] == {"length": "mm", "size": "ml", "spacing": [2.0, 1.0, 1.0]}
    assert record["settings"] == {
        "tolerance": 2.0, "surface": True, "objects": True, "connectivity": "face", "min_iou": 0.0, "min_object": 0.0,
    }  # fmt: skip
    assert record["shape"] == list(SHAPE)
    assert record["compared"] == TRUTH.size


def test_keys_of_a_mask_by_itself() -> None:
    image = np.full(SHAPE, -700, np.int16)
    result = run(measure_mask(TRUTH, image=image, value_unit="HU", **MM))
    values = ["mean_HU", "sd_HU"]
    assert head(csv_text(result.class_rows())) == ["class", "name", "volume_ml", "volume_voxels", "objects", *values]
    columns = ["class", "name", "object", "volume_ml", "volume_voxels", *values, "z", "y", "x", "R_mm", "A_mm", "S_mm"]
    assert head(csv_text(result.object_rows())) == columns
    assert head(csv_text(result.slice_rows())) == ["axis", "slice", "class", "name", "voxels"]
    assert list(result.to_json()) == [
        "classes", "objects", "units", "shape", "settings", "notes", "seconds", "provenance",
    ]  # fmt: skip
    assert result.to_json()["classes"]["1"]["mean_HU"] == -700.0


def test_numbers_keep_their_precision_in_tables_and_json(tmp_path: Path) -> None:
    result = evaluated(PREDICTION, TRUTH, **MM)
    for _ in write_results(tmp_path, result, PREDICTION, TRUTH):
        pass
    rows = list(csv.DictReader((tmp_path / "classes.csv").read_text(encoding="utf-8").splitlines()))
    record = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    for row, each in zip(rows, result.class_rows(), strict=True):
        for name in (*SCORES, "true_ml", "assd_mm"):
            assert (float(row[name]) if row[name] else None) == each[name]
    assert record["classes"]["1"]["dice"] == result.classes[0].overlap.dice


def test_json_of_the_command_is_that_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = ArraySource(np.zeros(SHAPE, np.int16), "volume", (2.0, 1.0, 1.0), affine=AFFINE)
    paths = [write_mask(mask, source, tmp_path / f"{n}.nii.gz") for n, mask in enumerate((PREDICTION, TRUTH))]
    words = ["evaluate", *map(str, paths), "--report", str(tmp_path / "report"), "--json", "--quiet"]
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    kept = json.loads((tmp_path / "report" / "evaluation.json").read_text(encoding="utf-8"))
    assert printed == kept
    assert list(printed) == JSON_KEYS
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(FILES)


def test_the_command_names_every_score_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = ArraySource(np.zeros(SHAPE, np.int16), "volume", (2.0, 1.0, 1.0))
    paths = [write_mask(mask, source, tmp_path / f"{n}.nii.gz") for n, mask in enumerate((PREDICTION, TRUTH))]
    assert main(["evaluate", *map(str, paths), "--quiet"]) == 0
    out = capsys.readouterr().out
    for words in ("Dice 0.875", "HD95 (mm) 1.00", "Surface Dice 1.000", "Difference (ml) +0.000", "Objects detected 1"):
        assert words in out


def test_rows_of_a_table_may_differ_in_their_columns() -> None:
    assert csv_text([]) == ""
    text = csv_text([{"a": 1}, {"a": 2, "b": None}, {"b": "x,y"}])
    assert text == 'a,b\n1,\n2,\n,"x,y"\n'
