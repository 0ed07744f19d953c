"""Tables of scores."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from napari_medpatch.errors import DamagedFileError, OutputError
from napari_medpatch.io.score_csv import (
    read_image_scores,
    read_patch_scores,
    write_image_scores,
    write_patch_scores,
)
from napari_medpatch.io.scores import ImageScores, PatchScores


def _scores(count: int = 200) -> PatchScores:
    rng = np.random.default_rng(0)
    start = rng.integers(0, 100_000, (count, 2))
    boxes = np.concatenate([start, start + np.array([350, 175])], axis=1)
    return PatchScores(boxes, rng.random((count, 2), np.float32), ("Other", 'Tumor "x", y'))


def test_patches_come_back_bit_for_bit(tmp_path) -> None:
    scores = _scores()
    back = read_patch_scores(write_patch_scores(tmp_path / "a.csv", scores))
    assert np.array_equal(back.boxes, scores.boxes)
    assert np.array_equal(back.probabilities, scores.probabilities)
    assert back.class_names == scores.class_names


def test_columns_are_those_of_wsinfer(tmp_path) -> None:
    scores = PatchScores(np.array([[20, 10, 60, 40]]), np.array([[0.5]], np.float32), ("Tumor",))
    with write_patch_scores(tmp_path / "a.csv", scores).open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["minx", "miny", "width", "height", "prob_Tumor"],
            ["10", "20", "30", "40", "0.5"],
        ]


def test_images_come_back(tmp_path) -> None:
    scores = ImageScores(("a/1.png", "b, c.png"), np.array([[0.1], [0.9]], np.float32), ("x",))
    back = read_image_scores(write_image_scores(tmp_path / "scores.csv", scores))
    assert back.files == scores.files
    assert np.array_equal(back.probabilities, scores.probabilities)


def test_no_rows_are_fine(tmp_path) -> None:
    empty = PatchScores(np.empty((0, 4), np.int64), np.empty((0, 2), np.float32), ("a", "b"))
    back = read_patch_scores(write_patch_scores(tmp_path / "a.csv", empty))
    assert back.boxes.shape == (0, 4)
    assert back.probabilities.shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no column minx"),
        ("minx,miny,width,height\n1,2,3,4\n", "prob_"),
        ("miny,width,height,prob_a\n2,3,4,0.5\n", "no column minx"),
        ("minx,miny,width,height,prob_a\n1,2,3,four,0.5\n", "line 2"),
        ("minx,miny,width,height,prob_a\n1,2,3\n", "line 2"),
    ],
)
def test_other_tables_are_refused(tmp_path, text, complaint) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DamagedFileError, match=complaint):
        read_patch_scores(path)


def test_missing_table_is_one_sentence(tmp_path) -> None:
    with pytest.raises(DamagedFileError, match="cannot be read"):
        read_patch_scores(tmp_path / "none.csv")


def test_blocked_folder_is_an_output_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="in the way"):
        write_patch_scores(tmp_path / "file" / "a.csv", _scores(1))


def test_extras_follow_the_probabilities_in_a_fixed_order(tmp_path) -> None:
    rng = np.random.default_rng(1)
    extras = {name: rng.random(3, np.float32) for name in ("attention", "uncertainty")}
    path = write_patch_scores(tmp_path / "a.csv", replace(_scores(3), extras=extras))
    assert path.read_text().splitlines()[0].endswith(",uncertainty,attention")
    back = read_patch_scores(path)
    assert list(back.extras) == ["uncertainty", "attention"]
    assert all(np.array_equal(back.extras[name], extras[name]) for name in extras)
    images = ImageScores(
        ("a.png",), np.array([[0.5]], np.float32), ("x",), {"uncertainty": np.array([0.25], np.float32)}
    )
    assert read_image_scores(write_image_scores(tmp_path / "b.csv", images)).extras["uncertainty"] == 0.25


def test_columns_of_others_are_no_extras(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("minx,miny,width,height,prob_x,remark\n1,2,3,4,0.5,seen\n")
    assert read_patch_scores(tmp_path / "a.csv").extras == {}
