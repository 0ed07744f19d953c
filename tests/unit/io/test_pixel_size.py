"""Pixel sizes: judged, never guessed."""

import math

import pytest

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.pixel_size import ABSURD_UM, PRINT_UM, judged, unknown, user_spacing


@pytest.mark.parametrize(("given", "expected"), [(0.25, (0.25, 0.25)), ((0.5, 0.25), (0.5, 0.25)), (1, (1.0, 1.0))])
def test_the_users_value_is_y_and_x(given: object, expected: tuple[float, float]) -> None:
    spacing = user_spacing(given)  # type: ignore[arg-type]
    assert (spacing.values, spacing.unit, spacing.origin) == (expected, "um", "user")


@pytest.mark.parametrize("given", [0, -0.5, math.nan, (0.5, 0.0), (1, 2, 3), ()])
def test_impossible_values_of_the_user_are_refused(given: object) -> None:
    with pytest.raises(GeometryError, match=r"[Pp]ixel size"):
        user_spacing(given)  # type: ignore[arg-type]


def test_plausible_values_keep_y_and_x_apart() -> None:
    size = judged(0.504, 0.2525, "openslide.mpp-x/-y", limit=ABSURD_UM)
    assert size.spacing is not None
    assert size.spacing.values == (0.504, 0.2525)
    assert size.spacing.origin == "openslide.mpp-x/-y"
    assert size.note == ""


@pytest.mark.parametrize("dpi", [72, 96, 300, 600, 1200])
def test_print_resolutions_are_not_pixel_sizes(dpi: int) -> None:
    size = judged(25400 / dpi, 25400 / dpi, "TIFF resolution", limit=PRINT_UM)
    assert size.spacing is None
    assert f"({dpi} dpi)" in size.note
    assert "TIFF resolution" in size.note


@pytest.mark.parametrize(("value", "word"), [(0.0, "impossible"), (math.inf, "impossible"), (1e-4, "too fine")])
def test_what_cannot_be_true_is_missing_with_a_reason(value: float, word: str) -> None:
    size = judged(value, value, "openslide.mpp-x/-y", limit=ABSURD_UM)
    assert size.spacing is None
    assert word in size.note


def test_a_scanners_absurd_value_is_missing_and_a_dicom_thumbnails_is_not() -> None:
    assert judged(499.0, 499.0, "openslide.mpp-x/-y", limit=ABSURD_UM).spacing is None
    assert judged(124.2, 124.2, "openslide.mpp-x/-y", limit=math.inf).spacing is not None


def test_a_missing_size_says_why() -> None:
    assert unknown("the file has no resolution tags").note.startswith("The pixel size is unknown (the file has no")
