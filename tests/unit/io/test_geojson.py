"""The rules by which QuPath reads GeoJSON (its QuPathTypeAdapters.java)."""

import gzip
import itertools
import json
import math
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_medpatch.errors import LabelsError
from napari_medpatch.io.geojson import class_colour, write_features, write_mask_geojson, write_patches_geojson
from napari_medpatch.io.scores import PatchScores

SCORES = PatchScores(
    np.array([[0, 100, 50, 150], [50, 100, 100, 150]], np.int64),
    np.array([[0.25, 0.75], [0.9, 0.1]], np.float32),
    ("Other", "Tumor"),
)


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _area(ring: list[list[float]]) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring)) / 2


def _check_qupath_rules(collection: dict) -> None:
    assert collection["type"] == "FeatureCollection"
    ids = [feature["id"] for feature in collection["features"]]
    assert len(set(ids)) == len(ids)
    for feature in collection["features"]:
        assert set(feature) == {"type", "id", "geometry", "properties"}, "QuPath ignores what is elsewhere"
        assert feature["type"] == "Feature"
        assert str(uuid.UUID(feature["id"])) == feature["id"]
        assert feature["properties"]["objectType"] in ("tile", "annotation")
        _check_classification(feature["properties"].get("classification"))
        for name, value in feature["properties"].get("measurements", {}).items():
            assert isinstance(name, str)
            assert isinstance(value, int | float)
            assert math.isfinite(value)
        _check_polygon(feature["geometry"])


def _check_classification(classification: dict | None) -> None:
    if classification is None:
        return
    assert isinstance(classification["name"], str)
    assert len(classification["color"]) == 3
    assert all(isinstance(c, int) and 0 <= c <= 255 for c in classification["color"])


def _check_polygon(geometry: dict) -> None:
    assert geometry["type"] == "Polygon"
    for index, ring in enumerate(geometry["coordinates"]):
        assert len(ring) >= 5
        assert ring[0] == ring[-1], "the ring is open"
        assert (_area(ring) > 0) == (index == 0), "exteriors and holes turn opposite ways (RFC 7946)"


def test_tiles_follow_the_rules(tmp_path) -> None:
    collection = _read(write_patches_geojson(tmp_path / "a.geojson", SCORES))
    _check_qupath_rules(collection)
    first, second = (feature["properties"] for feature in collection["features"])
    assert first["objectType"] == "tile"
    assert first["classification"] == {"name": "Tumor", "color": class_colour(1)}
    assert second["classification"]["name"] == "Other"
    assert first["measurements"] == {"prob_Other": 0.25, "prob_Tumor": 0.75}


def test_tile_covers_its_pixels_from_edge_to_edge(tmp_path) -> None:
    feature = _read(write_patches_geojson(tmp_path / "a.geojson", SCORES))["features"][0]
    assert feature["geometry"]["coordinates"] == [[[100, 0], [150, 0], [150, 50], [100, 50], [100, 0]]]


def test_measurements_can_have_qupaths_own_names(tmp_path) -> None:
    feature = _read(write_patches_geojson(tmp_path / "a.geojson", SCORES, prefix=""))["features"][0]
    assert set(feature["properties"]["measurements"]) == {"Other", "Tumor"}


def test_ids_are_the_same_for_the_same_run_and_differ_between_runs(tmp_path) -> None:
    ids = [
        [f["id"] for f in _read(write_patches_geojson(tmp_path / "a.geojson", SCORES, identity=run))["features"]]
        for run in ("one", "one", "two")
    ]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])


def test_threshold_of_a_binary_model_decides_the_class(tmp_path) -> None:
    features = _read(write_patches_geojson(tmp_path / "a.geojson", SCORES, threshold=0.05))["features"]
    assert [f["properties"]["classification"]["name"] for f in features] == ["Tumor", "Tumor"]


def test_one_class_below_its_threshold_has_no_classification(tmp_path) -> None:
    scores = PatchScores(SCORES.boxes, np.array([[0.4], [0.6]], np.float32), ("Tumor",))
    low, high = _read(write_patches_geojson(tmp_path / "a.geojson", scores))["features"]
    assert "classification" not in low["properties"]
    assert high["properties"]["classification"]["name"] == "Tumor"


def test_a_value_that_is_no_number_is_left_out(tmp_path) -> None:
    scores = PatchScores(SCORES.boxes, np.array([[np.nan, 0.5], [0.5, 0.5]], np.float32), ("a", "b"))
    collection = _read(write_patches_geojson(tmp_path / "a.geojson", scores))
    _check_qupath_rules(collection)
    assert collection["features"][0]["properties"]["measurements"] == {"prob_b": 0.5}


def test_gzip_holds_the_same_text_and_the_same_bytes_each_time(tmp_path) -> None:
    plain = write_patches_geojson(tmp_path / "a.geojson", SCORES)
    packed = write_patches_geojson(tmp_path / "a.geojson.gz", SCORES)
    again = write_patches_geojson(tmp_path / "b.geojson.gz", SCORES)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.read_bytes() == again.read_bytes()


def test_writing_is_streamed_and_atomic(tmp_path) -> None:
    target = tmp_path / "a.geojson"
    target.write_text("old")

    def failing():
        yield {"type": "Feature"}
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        write_features(target, failing())
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.geojson"]


def test_empty_collection_is_valid(tmp_path) -> None:
    assert _read(write_features(tmp_path / "a.geojson", []))["features"] == []


def test_mask_becomes_annotations_with_holes(tmp_path) -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[1:5, 1:5] = 1
    mask[2:4, 2:4] = 0
    mask[0, 6:8] = 2
    path = write_mask_geojson(mask, tmp_path / "m.geojson", class_names=("lung",))
    collection = _read(path)
    _check_qupath_rules(collection)
    ring, dot = collection["features"]
    assert ring["properties"]["objectType"] == "annotation"
    assert ring["properties"]["classification"]["name"] == "lung"
    assert dot["properties"]["classification"]["name"] == "class 2"
    outer, hole = ring["geometry"]["coordinates"]
    assert _area(outer) == 16
    assert _area(hole) == -4


def test_mask_coordinates_are_pixel_edges_at_level_zero(tmp_path) -> None:
    mask = np.zeros((4, 4), np.uint8)
    mask[1, 2] = 1
    path = write_mask_geojson(mask, tmp_path / "m.geojson", scale=(16.002, 4.0), origin=(100.0, 7.0))
    ring = _read(path)["features"][0]["geometry"]["coordinates"][0]
    xs, ys = {p[0] for p in ring}, {p[1] for p in ring}
    assert xs == {15, 19}
    assert ys == {116.002, 132.004}


def test_far_corner_does_not_drift(tmp_path) -> None:
    mask = np.zeros((2, 3000), np.uint8)
    mask[0, 2999] = 1
    path = write_mask_geojson(mask, tmp_path / "m.geojson", scale=(64.012, 64.012))
    ring = _read(path)["features"][0]["geometry"]["coordinates"][0]
    assert max(p[0] for p in ring) == pytest.approx(3000 * 64.012, abs=1e-3)


def test_a_volume_has_no_outlines(tmp_path) -> None:
    with pytest.raises(LabelsError, match="two-dimensional"):
        write_mask_geojson(np.zeros((2, 2, 2), np.uint8), tmp_path / "m.geojson")


def test_extras_are_measurements_too(tmp_path) -> None:
    extras = {"uncertainty": np.array([0.125, np.nan], np.float32)}
    collection = _read(write_patches_geojson(tmp_path / "a.geojson", replace(SCORES, extras=extras)))
    _check_qupath_rules(collection)
    first, second = (feature["properties"]["measurements"] for feature in collection["features"])
    assert first == {"prob_Other": 0.25, "prob_Tumor": 0.75, "uncertainty": 0.125}
    assert "uncertainty" not in second
