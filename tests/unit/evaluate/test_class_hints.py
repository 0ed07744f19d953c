"""Masks that number their classes differently are told, others are left in peace."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_cases import blobs, evaluated, slab

from napari_medpatch.evaluate.class_hints import count_pairs, in_words, suggested
from napari_medpatch.evaluate.class_map import ClassMap
from napari_medpatch.evaluate.evaluation import evaluate_masks
from napari_medpatch.evaluate.files import evaluate_files
from napari_medpatch.evaluate.masks import MaskPair
from napari_medpatch.events import Noted, run
from napari_medpatch.geometry import Box
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask
from napari_medpatch.steps import finish

SHAPE = (8, 20, 40)
RIGHT = slab(SHAPE, (1, 7), (4, 16), (4, 18))
LEFT = slab(SHAPE, (1, 7), (4, 16), (22, 36))
LUNGS = RIGHT + 2 * LEFT
"""Right lung 1, left lung 2."""
BOTH = RIGHT + LEFT


def hints(prediction: np.ndarray, truth: np.ndarray, **options: Any) -> list[str]:
    return list(evaluated(prediction, truth, surface=False, objects=False, **options).notes)


def test_a_truth_that_divides_more_finely_is_told_with_the_option_that_helps() -> None:
    (hint,) = hints(BOTH, LUNGS, class_names=("lung", "left lung"))
    assert hint == (
        "Most of class 2 (left lung) of the truth is class 1 (lung) in the prediction, which does not tell them apart; "
        "'any class' compares all classes together, and --map-truth 2=1 makes them one."
    )
    merged, _ = ClassMap.parse("2=1").apply(LUNGS)
    assert evaluated(BOTH, merged, surface=False).mean_dice == 1.0
    assert hints(BOTH, merged) == []


def test_a_prediction_that_divides_more_finely_is_told_too() -> None:
    (hint,) = hints(LUNGS, BOTH)
    assert "Most of class 2 of the prediction is class 1 in the truth" in hint
    assert "--map-prediction 2=1" in hint


def test_several_classes_that_lie_in_one_are_one_hint() -> None:
    lobes = LUNGS.copy()
    lobes[:, 10:, :][lobes[:, 10:, :] > 0] += 2
    (hint,) = hints(BOTH, lobes)
    assert "class 2 and class 3 and class 4 of the truth is class 1" in hint
    assert "--map-truth 2=1,3=1,4=1" in hint


def test_classes_of_other_numbers_are_told() -> None:
    (one, other) = hints(RIGHT, RIGHT * 5)
    assert "--map-truth 5=1" in one
    assert "--map-prediction 1=5" in other


def test_swapped_classes_are_told_with_both_scores() -> None:
    swapped = LEFT + 2 * RIGHT
    (hint,) = hints(swapped, LUNGS, class_names=("right lung", "left lung"))
    assert "class 1 lies on class 2 (Dice 1.000) and class 2 lies on class 1 (Dice 1.000) of the truth" in hint
    assert "--map-prediction 1=2,2=1" in hint
    mended, _ = ClassMap.parse("1=2,2=1").apply(swapped)
    assert np.array_equal(mended, LUNGS)
    assert hints(mended, LUNGS) == []


def test_three_classes_in_a_ring_are_told_with_their_way_back() -> None:
    heart = slab(SHAPE, (1, 7), (16, 20), (10, 30))
    truth, prediction = LUNGS + 3 * heart, 3 * RIGHT + LEFT + 2 * heart
    (hint,) = hints(prediction, truth)
    option = hint.rpartition("--map-prediction ")[2].rstrip(".")
    assert np.array_equal(ClassMap.parse(option).apply(prediction)[0], truth)


@pytest.mark.parametrize(
    "prediction",
    [LUNGS, np.roll(LUNGS, 2, 2), np.zeros_like(LUNGS), RIGHT, 2 * LEFT, np.roll(LUNGS, 9, 1)],
    ids=["same", "shifted", "empty", "right only", "left only", "far off"],
)
def test_honest_mistakes_are_not_called_numbering(prediction: np.ndarray) -> None:
    assert hints(prediction, LUNGS) == []


def test_a_missed_lesion_inside_an_organ_is_told_as_what_it_is() -> None:
    truth = RIGHT.copy()
    truth[3:5, 8:10, 8:10] = 2
    (hint,) = hints(RIGHT, truth, class_names=("lung", "nodule"))
    assert "Most of class 2 (nodule) of the truth is class 1 (lung) in the prediction" in hint


def test_hints_come_as_events_after_the_notes_that_were_given() -> None:
    events = list(evaluate_masks(BOTH, LUNGS, notes=("given",)))
    (noted,) = [event.message for event in events if isinstance(event, Noted)]
    assert events[-1].result.notes == ("given", noted)
    assert events[-1].result.to_json()["notes"] == ["given", noted]


def test_pictures_have_hints_too() -> None:
    assert hints(BOTH[3], LUNGS[3])


def test_what_is_left_out_gives_no_hint() -> None:
    keep = np.ones(SHAPE, bool)
    keep[..., 20:] = False
    assert hints(BOTH, LUNGS, keep=keep) == []


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_pairs_are_those_of_a_plain_loop(seed: int) -> None:
    masks = MaskPair.of(blobs(seed, (4, 6, 5)), blobs(seed + 1, (4, 6, 5), 3))
    counts = finish(count_pairs(masks, Box.whole(masks.shape)))
    expected = np.zeros((256, 256), int)
    for p, t in zip(masks.predicted.ravel(), masks.true.ravel(), strict=True):
        expected[p, t] += bool(p or t)
    assert np.array_equal(counts, expected)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A prediction of both lungs as one, and a truth of two."""
    source = ArraySource(np.zeros(SHAPE, np.int16), "volume", (2.0, 1.0, 1.0), affine=np.diag([-1.0, -1, 2, 1]))
    prediction = write_mask(BOTH, source, tmp_path / "p.nii.gz", class_names=("lung",))
    return prediction, write_mask(LUNGS, source, tmp_path / "t.nrrd", class_names=("right lung", "left lung"))


def test_files_are_renumbered_before_they_are_compared(files: tuple[Path, Path], tmp_path: Path) -> None:
    prediction, truth = files
    plain = run(evaluate_files(prediction, truth))
    assert plain.mean_dice == pytest.approx((2 / 3) / 2)
    merged = run(evaluate_files(prediction, truth, truth_map=ClassMap.parse("all=1"), report=tmp_path / "report"))
    assert merged.mean_dice == 1.0
    assert [each.name for each in merged.classes] == ["right lung + left lung"]
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "right lung + left lung" in page


def test_a_mask_by_itself_is_renumbered_too(files: tuple[Path, Path]) -> None:
    result = run(evaluate_files(files[1], prediction_map=ClassMap.parse("right lung=0")))
    assert [(each.value, each.name) for each in result.classes] == [(2, "left lung")]


def test_names_that_one_file_lacks_are_no_disagreement(files: tuple[Path, Path]) -> None:
    result = run(evaluate_files(*files, truth_map=ClassMap.parse("right lung=0,left lung=2")))
    assert not [note for note in result.notes if "is called" in note]
    assert [each.name for each in result.classes] == ["lung", "left lung"]


def test_what_hints_name_can_be_taken_as_it_is() -> None:
    assert suggested(hints(BOTH, LUNGS)) == (ClassMap(), ClassMap.parse("2=1"))
    assert suggested(hints(LUNGS, BOTH)) == (ClassMap.parse("2=1"), ClassMap())
    assert suggested(hints(LEFT + 2 * RIGHT, LUNGS)) == (ClassMap.parse("1=2,2=1"), ClassMap())


def test_of_several_hints_the_first_is_suggested() -> None:
    notes = hints(RIGHT, RIGHT * 5)
    prediction, truth = suggested(["Something else.", *notes]) or (None, None)
    assert (str(prediction), str(truth)) == ("", "5=1")
    assert hints(RIGHT, ClassMap.parse("5=1").apply(RIGHT * 5)[0]) == []


def test_other_sentences_suggest_nothing() -> None:
    assert suggested(["Class 1 is called a in the prediction and b in the truth; they are compared by value."]) is None


def test_the_record_says_which_values_classes_got(files: tuple[Path, Path], tmp_path: Path) -> None:
    found = run(evaluate_files(*files, truth_map=ClassMap.parse("left lung=1"), report=tmp_path / "report"))
    assert found.to_json()["provenance"]["class_maps"] == {"truth": "left lung=1"}
    assert "classes of the truth counted as" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "class_maps" not in run(evaluate_files(*files)).to_json()["provenance"]


def test_the_window_says_what_the_option_does() -> None:
    (swapped,) = map(in_words, hints(LEFT + 2 * RIGHT, LUNGS))
    assert swapped.endswith("compare with class 1 of the prediction counted as 2 and class 2 as 1.")
    (finer,) = map(in_words, hints(BOTH, LUNGS))
    assert finer.endswith("and class 2 of the truth counted as 1 makes them one.")
    assert in_words("Nothing of that kind.") == "Nothing of that kind."
