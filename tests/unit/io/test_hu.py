"""Hounsfield windows: the usual ones, and their two ways of being written."""

import pytest

from napari_medpatch.io.hu import HU_PRESETS, HU_WINDOWS, LevelWidth


def test_windows_are_those_radiologists_expect() -> None:
    assert set(HU_WINDOWS) > {"lung", "mediastinum", "bone", "brain", "abdomen", "liver", "angio"}
    assert all(-1400 < low < high < 3100 for low, high in HU_WINDOWS.values())
    low, high = HU_WINDOWS["lung"]
    assert ((low + high) / 2, high - low) == (-600, 1500)


def test_level_and_width_say_the_same_as_black_and_white() -> None:
    window = LevelWidth.of_limits(-125, 225)
    assert window == HU_PRESETS["mediastinum"] == LevelWidth(50, 350)
    assert window.limits == (-125, 225)


@pytest.mark.parametrize(("name", "words"), [("lung", "−600/1500"), ("brain", "40/80")])
def test_windows_are_written_as_level_and_width(name: str, words: str) -> None:
    assert str(HU_PRESETS[name]) == words
