"""Classes get other numbers before masks are compared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_medpatch.errors import SettingsError
from napari_medpatch.evaluate.class_map import ClassMap

MASK = np.array([[0, 1, 2, 3, 4]], np.uint8)
NAMES = ("right lung", "left lung", "heart")


@pytest.mark.parametrize(
    ("text", "values", "names"),
    [
        ("", [0, 1, 2, 3, 4], NAMES),
        ("1=2,2=1", [0, 2, 1, 3, 4], ("left lung", "right lung", "heart")),
        ("all=1", [0, 1, 1, 1, 1], ("right lung + left lung + heart",)),
        ("ALL=1, heart=2", [0, 1, 1, 2, 1], ("right lung + left lung", "heart")),
        ("heart=2,all=1", [0, 1, 1, 2, 1], ("right lung + left lung", "heart")),
        ("2=1", [0, 1, 1, 3, 4], ("right lung + left lung", "", "heart")),
        ("Left Lung=0", [0, 1, 0, 3, 4], ("right lung", "", "heart")),
        ("all=0", [0, 0, 0, 0, 0], ()),
        ("4=7", [0, 1, 2, 3, 7], NAMES),
        ("1=200", [0, 200, 2, 3, 4], ("", "left lung", "heart", *("",) * 196, "right lung")),
    ],
)
def test_values_and_names_move_together(text: str, values: list[int], names: tuple[str, ...]) -> None:
    found, called = ClassMap.parse(text).apply(MASK, NAMES)
    assert found.dtype == np.uint8
    assert found[0].tolist() == values
    assert called == names


@pytest.mark.parametrize("text", ["1", "=1", "1=", "1=256", "1=-1", "1=x", "1=1.5", "1==", "a"])
def test_what_says_no_class_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="which class becomes which"):
        ClassMap.parse(text)


@pytest.mark.parametrize("old", ["liver", "0", "256", "-1", "1.5"])
def test_a_class_that_is_not_there_is_refused_with_those_that_are(old: str) -> None:
    with pytest.raises(SettingsError, match="the mask has 1 right lung, 2 left lung, 3 heart"):
        ClassMap.parse(f"{old}=1").apply(MASK, NAMES)


def test_a_mask_without_names_is_known_by_its_values() -> None:
    values, names = ClassMap.parse("3=1").apply(MASK)
    assert (values[0].tolist(), names) == ([0, 1, 2, 1, 4], ())
    with pytest.raises(SettingsError, match="the mask has no names"):
        ClassMap.parse("lung=1").apply(MASK)


def test_the_mask_that_is_given_is_not_changed() -> None:
    before = MASK.copy()
    ClassMap.parse("all=9").apply(MASK)
    assert np.array_equal(MASK, before)


@given(st.permutations(range(1, 6)))
def test_a_permutation_and_its_inverse_are_nothing(order: list[int]) -> None:
    mask = np.arange(6, dtype=np.uint8)[None]
    there = ClassMap(tuple((str(old), new) for old, new in enumerate(order, start=1)))
    back = ClassMap(tuple((str(new), old) for old, new in enumerate(order, start=1)))
    assert np.array_equal(back.apply(there.apply(mask)[0])[0], mask)
