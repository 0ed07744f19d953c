"""Lengths that nobody can mean are refused in a sentence that says what would do, before anything is done."""

import numpy as np
import pytest

from napari_medpatch.errors import SettingsError
from napari_medpatch.events import Noted
from napari_medpatch.infer.clean.amount import Length, Size
from napari_medpatch.infer.clean.job import clean, clean_up, try_steps
from napari_medpatch.infer.clean.reach import check_reach
from napari_medpatch.infer.clean.registry import parse_step, parse_steps
from napari_medpatch.infer.clean.work import Place
from napari_medpatch.io.array_source import ArraySource

BALLS = ("close", "open", "grow", "shrink")
SHAPE, VOXEL = (20, 40, 30), (2.0, 1.0, 1.0)


def mask() -> np.ndarray:
    result = np.zeros(SHAPE, np.uint8)
    result[5:15, 10:30, 8:22] = 1
    return result


@pytest.mark.parametrize("keyword", ["smooth", *BALLS])
def test_a_length_beyond_half_of_the_scan_is_refused(keyword: str) -> None:
    with pytest.raises(SettingsError, match=rf"{keyword}:500mm is too much .* 40mm; {keyword} takes up to 20mm here"):
        clean(mask(), [f"{keyword}:500mm"], voxel=VOXEL)


@pytest.mark.parametrize("keyword", ["smooth", *BALLS])
def test_half_of_the_scan_is_taken(keyword: str) -> None:
    done, _ = clean(mask(), [f"{keyword}:20mm"], voxel=VOXEL)
    assert done.shape == SHAPE


@pytest.mark.parametrize(("text", "longest"), [("5cm", "4cm"), ("50000um", "4e\\+04um"), ("50px", "40px")])
def test_the_limit_is_told_in_the_unit_that_was_given(text: str, longest: str) -> None:
    with pytest.raises(SettingsError, match=f"longest side is {longest}"):
        clean(mask(), [f"smooth:{text}"], voxel=VOXEL)


def test_many_voxels_are_refused_also_where_the_scan_is_larger_still() -> None:
    place = Place((5.0, 0.7, 0.7), "mm", shape=(300, 512, 512))
    check_reach("smooth", Length(45.0), place, 64)
    with pytest.raises(SettingsError, match=r"reaches 71 voxels far, .* takes up to 64 voxels, 44\.8mm here"):
        check_reach("smooth", Length(50.0), place, 64)


def test_a_thin_slab_is_smoothed_along_its_slices() -> None:
    slab = np.zeros((1, 40, 40), np.uint8)
    slab[0, 10:30, 10:30] = 1
    smoothed, _ = clean(slab, ["smooth:3mm"], voxel=(5.0, 1.0, 1.0))
    assert 300 < smoothed.sum() < 400


def test_segment_refuses_before_it_begins() -> None:
    source = ArraySource(np.zeros(SHAPE, np.int16), "volume", VOXEL)
    with pytest.raises(SettingsError, match="is too much"):
        try_steps(source, parse_steps(["smooth:100cm"]), ("lung",))
    assert try_steps(source, parse_steps(["smooth:1mm", "close:20mm"]), ("lung",)) == ("lung",)


@pytest.mark.parametrize("keyword", ["smooth", *BALLS])
@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("-3mm", "must be more than 0"),
        ("0mm", "must be more than 0"),
        ("nanmm", "must be more than 0"),
        ("infmm", "must be more than 0"),
        ("-infmm", "must be more than 0"),
        (f"{'9' * 400}mm", "must be more than 0"),
        ("3", "unit is missing"),
        ("nan", "unit is missing"),
        ("3ml", "'ml' is none of mm, cm, um, px"),
        ("3 miles", "not a length such as"),
        ("", "not a length such as"),
        ("mm", "not a length such as"),
        ("1,5mm", "not a length such as"),
    ],
)
def test_what_is_no_length_says_why(keyword: str, argument: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        parse_step(f"{keyword}:{argument}")


@pytest.mark.parametrize("argument", ["-2ml", "0ml", "nanml", "infml", "2", "2mm", "2litres", ""])
def test_what_is_no_size_is_refused(argument: str) -> None:
    with pytest.raises(SettingsError, match="not a size such as"):
        parse_step(f"drop:{argument}")


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_amounts_made_in_python_are_held_to_the_same(value: float) -> None:
    for kind in (Length, Size):
        with pytest.raises(SettingsError, match="must be more than 0"):
            kind(value)
    with pytest.raises(SettingsError, match="none of"):
        Length(1.0, "ml")


@pytest.mark.parametrize("argument", ["0", "-1", "1.5", "nan", "", "many"])
def test_a_number_of_pieces_is_whole_and_positive(argument: str) -> None:
    with pytest.raises(SettingsError):
        parse_step(f"largest:{argument}")


def test_a_mask_of_which_nothing_is_left_is_told() -> None:
    events = list(clean_up(VOXEL, mask(), ["drop:1000ml"]))
    assert not events[-1].result.mask.any()
    assert "Nothing is left in the mask." in [event.message for event in events if isinstance(event, Noted)]
    nothing = list(clean_up(VOXEL, np.zeros(SHAPE, np.uint8), ["drop:1ml"]))
    assert "Nothing is left in the mask." not in [event.message for event in nothing if isinstance(event, Noted)]
