"""Units of length, area and volume, and places in the world."""

import numpy as np
import pytest

from napari_medpatch.errors import GeometryError
from napari_medpatch.evaluate.pieces import pieces_of
from napari_medpatch.evaluate.settings import DEFAULT_TOLERANCE, EvaluationSettings
from napari_medpatch.evaluate.units import Units
from napari_medpatch.evaluate.world import World
from napari_medpatch.geometry import Spacing


@pytest.mark.parametrize(
    ("spacing", "length", "size", "pixel", "one"),
    [
        ((2.0, 1.0, 0.5), "mm", "ml", "voxels", 0.001),
        ((2.0, 0.5), "mm", "mm2", "px", 1.0),
        ((0.5, 0.5), "um", "mm2", "px", 2.5e-7),
        ((10.0, 10.0, 10.0), "um", "mm3", "voxels", 1e-6),
        ((1.0, 1.0, 1.0), "px", "voxels", "voxels", 1.0),
        ((1.0, 1.0), "px", "px", "px", 1.0),
    ],
)
def test_sizes(spacing: tuple[float, ...], length: str, size: str, pixel: str, one: float) -> None:
    units = Units(spacing, length)
    assert (units.size, units.pixel) == (size, pixel)
    assert units.size_of(1) == pytest.approx(one)
    assert units.extent == ("volume" if len(spacing) == 3 else "area")
    assert units.axes == ("z", "y", "x")[-len(spacing) :]


def test_units_in_words() -> None:
    units = Units((0.5, 0.5), "um")
    assert (units.length_text, units.size_text) == ("µm", "mm²")


def test_units_of_an_image_with_and_without_a_pixel_size() -> None:
    assert Units.of(Spacing((0.25, 0.5), "um", "file"), 2).spacing == (0.25, 0.5)
    assert Units.of(None, 3) == Units((1.0, 1.0, 1.0), "px")


@pytest.mark.parametrize(
    ("spacing", "length"), [((1.0, -1.0), "mm"), ((1.0, float("nan")), "mm"), ((1.0, 1.0), "inch"), ((1.0,), "mm")]
)
def test_impossible_units_are_refused(spacing: tuple[float, ...], length: str) -> None:
    with pytest.raises(GeometryError):
        Units(spacing, length)


def test_tolerance_follows_the_unit_unless_it_is_given() -> None:
    for length, tolerance in DEFAULT_TOLERANCE.items():
        assert EvaluationSettings().tolerance_in(length) == tolerance
        assert EvaluationSettings(tolerance=0.0).tolerance_in(length) == 0.0


def test_places_are_patient_coordinates_where_the_affine_is_known() -> None:
    units = Units((3.0, 2.0, 1.0), "mm")
    affine = np.array([[0, -2.0, 0, 5], [-1.0, 0, 0, 6], [0, 0, 3.0, 7], [0, 0, 0, 1]])
    found = World.of(units, affine).columns((10, 20, 30))
    assert found == {"z": 10, "y": 20, "x": 30, "R_mm": -35.0, "A_mm": -24.0, "S_mm": 37.0}
    assert World.of(units, None).columns((10, 20, 30)) == {
        "z": 10, "y": 20, "x": 30, "z_mm": 30.0, "y_mm": 40.0, "x_mm": 30.0,
    }  # fmt: skip
    assert World.of(Units((1.0, 1.0), "px"), None).columns((1, 2)) == {"y": 1, "x": 2}


@pytest.mark.parametrize("shape", [(4, 5, 6), (7, 5), (0, 5), (3, 0, 2)])
def test_pieces_cover_an_array_once(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_medpatch.evaluate.pieces._BAND", 10)
    array = np.arange(np.prod(shape)).reshape(shape)
    seen = [value for _, _, piece in pieces_of(array) for value in piece.ravel().tolist()]
    assert seen == array.ravel().tolist()
    for z, y, piece in pieces_of(array):
        plane = array[z] if array.ndim == 3 else array
        assert np.array_equal(plane[y : y + len(piece)], piece)
