"""What is said of masks and classes in which there is nothing: no made-up numbers, and the same everywhere."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mask_cases import evaluated, slab

from napari_medpatch.cli import main
from napari_medpatch.evaluate.outputs import csv_text, write_results
from napari_medpatch.evaluate.overlap import Overlap
from napari_medpatch.evaluate.segmentation import overlap
from napari_medpatch.evaluate.volumes import measure_mask
from napari_medpatch.events import run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask

SHAPE = (4, 8, 9)
EMPTY = np.zeros(SHAPE, np.uint8)
CUBE = slab(SHAPE, (1, 3), (2, 6), (2, 6))
SCORES = ("dice", "iou", "sensitivity", "specificity", "precision")
SPACING = (2.0, 1.0, 1.0)


def row(prediction: np.ndarray, truth: np.ndarray, **options: Any) -> dict[str, Any]:
    (only,) = evaluated(prediction, truth, spacing=SPACING, **options).class_rows()
    return only


def test_a_class_that_was_missed() -> None:
    found = row(EMPTY, CUBE)
    # Nothing was predicted, so that nobody can say how much of it is true.
    assert [found[name] for name in SCORES] == [0.0, 0.0, 0.0, 1.0, None]
    assert [found[name] for name in ("assd_mm", "hd95_mm", "hd_mm", "surface_dice")] == [None] * 4
    assert (found["predicted_ml"], found["true_ml"], found["difference_ml"]) == (0.0, 0.064, -0.064)
    assert found["difference_percent"] == -100.0
    assert (found["objects_detected"], found["objects_missed"], found["objects_false_positive"]) == (0, 1, 0)
    assert (found["object_sensitivity"], found["object_precision"], found["object_f1"]) == (0.0, None, 0.0)
    assert found["remark"] == "not in the prediction"


def test_a_class_that_was_invented() -> None:
    found = row(CUBE, EMPTY)
    total = EMPTY.size
    assert [found[name] for name in SCORES] == [0.0, 0.0, None, (total - 32) / total, 0.0]
    assert [found[name] for name in ("assd_mm", "hd95_mm", "hd_mm", "surface_dice")] == [None] * 4
    assert found["difference_percent"] is None
    assert (found["objects_detected"], found["objects_missed"], found["objects_false_positive"]) == (0, 0, 1)
    assert (found["object_sensitivity"], found["object_precision"], found["object_f1"]) == (None, 0.0, 0.0)
    assert found["remark"] == "not in the truth"


def test_masks_that_fill_the_image() -> None:
    full = np.ones(SHAPE, np.uint8)
    found = row(full, full)
    assert [found[name] for name in SCORES] == [1.0, 1.0, 1.0, None, 1.0]
    assert found["hd_mm"] == 0.0


def test_two_empty_masks_have_nothing_to_score() -> None:
    result = evaluated(EMPTY, EMPTY)
    assert (result.classes, result.mean_dice, result.mean_iou) == ((), None, None)
    assert result.foreground.overlap.scores() == {
        "dice": None, "iou": None, "sensitivity": None, "specificity": 1.0, "precision": None,
    }  # fmt: skip
    assert (result.class_rows(), result.object_rows(), result.slice_rows()) == ([], [], [])


def test_a_mean_counts_classes_of_the_truth_only() -> None:
    truth = CUBE.copy()
    truth[1, 2, 2] = 2
    prediction = CUBE.copy()
    prediction[0, 0, 0] = 3
    result = evaluated(prediction, truth)
    one, two, three = (each.overlap.dice for each in result.classes)
    assert (two, three) == (0.0, 0.0)
    assert result.mean_dice == pytest.approx((one + two) / 2)
    assert result.mean_iou == pytest.approx((result.classes[0].overlap.iou + 0) / 2)


def test_the_mean_of_a_truth_without_classes_is_unknown() -> None:
    result = evaluated(CUBE, EMPTY)
    assert (result.mean_dice, result.mean_iou) == (None, None)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0, 0), (None,) * 5),
        ((0, 0, 0, 9), (None, None, None, 1.0, None)),
        ((9, 9, 9, 9), (1.0, 1.0, 1.0, None, 1.0)),
        ((0, 3, 0, 9), (0.0, 0.0, None, 6 / 9, 0.0)),
        ((0, 0, 3, 9), (0.0, 0.0, 0.0, 1.0, None)),
        ((2, 3, 4, 9), (4 / 7, 2 / 5, 2 / 4, 4 / 5, 2 / 3)),
    ],
)
def test_scores_of_four_counts(counts: tuple[int, int, int, int], expected: tuple[float | None, ...]) -> None:
    found = Overlap(*counts).scores()
    assert tuple(found[name] for name in SCORES) == expected


def test_what_is_left_out_can_leave_nothing_of_a_class() -> None:
    keep = CUBE == 0
    result = evaluated(CUBE, CUBE, keep=keep)
    assert result.classes == ()
    assert result.compared == int(keep.sum())


def test_the_short_way_says_the_same_as_the_job() -> None:
    for prediction, truth in ((EMPTY, CUBE), (CUBE, EMPTY), (CUBE, np.roll(CUBE, 1, 2))):
        (found,) = evaluated(prediction, truth).classes
        short = overlap(prediction, truth)[1]
        assert {name: short[name] for name in SCORES} == found.overlap.scores()
        assert (short["predicted"], short["true"]) == (found.overlap.predicted, found.overlap.true)


def test_an_empty_mask_by_itself_has_no_rows() -> None:
    result = run(measure_mask(EMPTY, spacing=SPACING))
    assert (result.class_rows(), result.object_rows(), result.slice_rows()) == ([], [], [])
    assert result.to_json()["classes"] == {}


@pytest.mark.parametrize("pair", [(EMPTY, EMPTY), (EMPTY, CUBE), (CUBE, EMPTY)], ids=["both", "missed", "invented"])
def test_all_files_of_a_report_are_written_and_hold_no_nan(tmp_path: Path, pair: tuple[np.ndarray, np.ndarray]) -> None:
    result = evaluated(*pair, spacing=SPACING)
    for _ in write_results(tmp_path, result, *pair):
        pass
    for name in ("classes.csv", "objects.csv", "slices.csv", "evaluation.json", "report.html"):
        content = (tmp_path / name).read_text(encoding="utf-8")
        assert not re.search(r"\bnan\b", content, re.IGNORECASE), name
        assert not re.search(r"\bNone\b", content), name
    json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))


def test_unknown_cells_of_a_table_are_empty() -> None:
    text = csv_text(evaluated(EMPTY, CUBE, spacing=SPACING).class_rows())
    head, line = text.splitlines()
    cells = dict(zip(head.split(","), line.split(","), strict=True))
    assert cells["precision"] == cells["hd95_mm"] == cells["surface_dice"] == ""
    assert cells["dice"] == "0.0"


@pytest.mark.parametrize("swap", [False, True])
def test_the_command_line_says_what_is_missing(tmp_path: Path, swap: bool, capsys: pytest.CaptureFixture[str]) -> None:
    source = ArraySource(np.zeros(SHAPE, np.int16), "volume", SPACING)
    paths = [write_mask(mask, source, tmp_path / f"{n}.nii.gz") for n, mask in enumerate((EMPTY, CUBE))]
    assert main(["evaluate", *map(str, paths[::-1] if swap else paths), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert ("not in the truth" if swap else "not in the prediction") in out
    assert "HD95" not in out
    assert main(["evaluate", str(paths[0]), str(paths[0]), "--quiet"]) == 0
    assert "every voxel is background" in capsys.readouterr().out
