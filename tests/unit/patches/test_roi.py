"""Regions of interest: what is inside, and reading them from QuPath's files."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_medpatch.errors import DamagedFileError, GeometryError
from napari_medpatch.patches.roi import Region, region_from_geojson

SQUARE = np.array([[10, 20], [10, 60], [50, 60], [50, 20]], float)


def _by_hand(ring, point) -> bool:
    """Count edges right of one point."""
    y, x = point
    odd = False
    for (y0, x0), (y1, x1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if min(y0, y1) <= y < max(y0, y1) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            odd = not odd
    return odd


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), corners=st.integers(3, 40), whole=st.booleans())
def test_inside_is_the_even_odd_rule(seed, corners, whole) -> None:
    rng = np.random.default_rng(seed)
    ring, hole = rng.uniform(0, 100, (corners, 2)), rng.uniform(30, 60, (4, 2))
    points = rng.uniform(-10, 110, (80, 2))
    if whole:
        ring, hole, points = np.rint(ring), np.rint(hole), np.rint(points)
    if len(np.unique(ring, axis=0)) < 3 or len(np.unique(hole, axis=0)) < 3:
        return
    found = Region((ring,), ((hole,),)).contains(points)
    assert found.tolist() == [_by_hand(ring, point) and not _by_hand(hole, point) for point in points]


def test_polygons_that_overlap_are_joined_and_holes_cut_their_own() -> None:
    other = SQUARE + 20
    hole = np.array([[35, 45], [35, 55], [45, 55], [45, 45]], float)
    region = Region((SQUARE, other), ((hole,), ()))
    assert region.contains([[40, 50], [15, 25], [65, 75], [5, 5]]).tolist() == [True, True, True, False]
    assert not Region((SQUARE,), ((hole,),)).contains([[40, 50]]).any()


def test_neighbouring_squares_share_no_point_and_leave_none_out() -> None:
    squares = [np.array([[y, x], [y, x + 1], [y + 1, x + 1], [y + 1, x]], float) for y in range(3) for x in range(3)]
    points = np.argwhere(np.ones((3, 3)))
    counts = np.sum([Region((square,)).contains(points) for square in squares], axis=0)
    assert counts.tolist() == [1] * 9


def test_bounds_tell_whether_a_region_meets_an_image() -> None:
    region = Region((SQUARE, SQUARE + np.array([100, 0])))
    assert region.bounds == (10, 20, 150, 60)
    assert region.meets((11, 21))
    assert not region.meets((10, 500))
    assert not Region((SQUARE - np.array([60, 0]),)).meets((500, 500))


def test_no_points_and_no_tissue_are_no_problem() -> None:
    assert Region((SQUARE,)).contains(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize(
    "polygons",
    [(), (np.zeros((2, 2)),), (np.zeros((5, 2)),), (np.array([[0, 0], [1, np.nan], [2, 2]]),), (np.zeros((4, 3)),)],
)
def test_what_encloses_nothing_is_refused(polygons) -> None:
    with pytest.raises(GeometryError):
        Region(tuple(polygons))


def _feature(kind, coordinates, **properties):
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


RING = [[20, 10], [60, 10], [60, 50], [20, 50], [20, 10]]
HOLE = [[30, 20], [40, 20], [40, 30], [30, 30], [30, 20]]


@pytest.mark.parametrize("wrap", [lambda f: {"type": "FeatureCollection", "features": f}, lambda f: f])
def test_annotations_of_qupath_are_read_with_holes(tmp_path, wrap) -> None:
    features = [
        _feature("Polygon", [RING, HOLE], objectType="annotation", name="tumour"),
        _feature("MultiPolygon", [[[[100, 0], [110, 0], [110, 9]]], [[[200, 0], [210, 0], [210, 9]]]]),
        _feature("Polygon", [[[500, 500], [510, 500], [510, 510]]], objectType="tile"),
        _feature("Point", [5, 5], objectType="annotation"),
    ]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(wrap(features)))
    region = region_from_geojson(path)
    assert len(region.polygons) == 3
    # GeoJSON has x before y.
    assert region.contains([[40, 30], [25, 35], [2, 108], [2, 208], [505, 508]]).tolist() == [
        True, False, True, True, False,
    ]  # fmt: skip


def test_gzipped_files_are_read(tmp_path) -> None:
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(json.dumps([_feature("Polygon", [RING])]).encode()))
    assert region_from_geojson(path).bounds == (10, 20, 50, 60)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[]", "no annotation with an area"),
        (json.dumps([_feature("Polygon", [RING], objectType="detection")]), "no annotation with an area"),
        (json.dumps([_feature("Polygon", [[["a", 1], [2, 3], [4, 5]]])]), "readable coordinates"),
        (json.dumps([_feature("Polygon", [[[1, 1], [1, 1], [1, 1]]])]), "three corners"),
        ("{", "cannot be read"),
        ("{}", "no GeoJSON features"),
        (None, "cannot be read"),
    ],
)
def test_files_without_a_region_are_said_to_be_so(tmp_path, content, sentence) -> None:
    path = tmp_path / "roi.geojson"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DamagedFileError, match=sentence) as caught:
        region_from_geojson(path)
    assert "roi.geojson" in str(caught.value)
