"""Patches read back from GeoJSON."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.geojson import write_patches_geojson
from napari_medpatch.io.geojson_reading import geojson_to_csv, read_patches_geojson
from napari_medpatch.io.score_csv import read_patch_scores
from napari_medpatch.io.scores import PatchScores

SCORES = PatchScores(
    np.array([[0, 100, 50, 150], [50, 100, 100, 150]], np.int64),
    np.array([[0.25, 0.75], [0.875, 0.125]], np.float32),
    ("Other", "Tumor, solid"),
)


@pytest.mark.parametrize("suffix", ["geojson", "geojson.gz"])
def test_round_trip(tmp_path, suffix) -> None:
    back = read_patches_geojson(write_patches_geojson(tmp_path / f"a.{suffix}", SCORES))
    assert np.array_equal(back.boxes, SCORES.boxes)
    assert np.array_equal(back.probabilities, SCORES.probabilities)
    assert back.class_names == SCORES.class_names


def test_to_csv(tmp_path) -> None:
    path = geojson_to_csv(write_patches_geojson(tmp_path / "a.geojson", SCORES), tmp_path / "a.csv")
    assert np.array_equal(read_patch_scores(path).probabilities, SCORES.probabilities)


@pytest.mark.parametrize("prefix", ["prob_", ""])
def test_extras_are_no_classes(tmp_path, prefix) -> None:
    scores = replace(SCORES, extras={"uncertainty": np.array([0.25, 0.5], np.float32)})
    back = read_patches_geojson(write_patches_geojson(tmp_path / "a.geojson", scores, prefix=prefix), prefix=prefix)
    assert back.class_names == SCORES.class_names
    assert np.array_equal(back.probabilities, SCORES.probabilities)
    assert back.extras["uncertainty"].tolist() == [0.25, 0.5]
    table = read_patch_scores(geojson_to_csv(tmp_path / "a.geojson", tmp_path / "a.csv", prefix=prefix))
    assert table.extras["uncertainty"].tolist() == [0.25, 0.5]


def test_features_with_nothing_but_extras_are_no_patches(tmp_path) -> None:
    path = write_patches_geojson(tmp_path / "a.geojson", SCORES)
    content = json.loads(path.read_text())
    content["features"][0]["properties"]["measurements"] = {"uncertainty": 0.5}
    path.write_text(json.dumps(content))
    assert len(read_patches_geojson(path).boxes) == 1


def test_qupath_array_with_old_measurements(tmp_path) -> None:
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[[1, 2], [5, 2], [5, 8], [1, 8], [1, 2]]]},
        "properties": {"measurements": [{"name": "Tumor", "value": 0.5}]},
    }
    (tmp_path / "old.geojson").write_text(json.dumps([feature]))
    back = read_patches_geojson(tmp_path / "old.geojson", prefix="")
    assert back.boxes.tolist() == [[2, 1, 8, 5]]
    assert back.class_names == ("Tumor",)


def test_a_class_that_one_patch_lacks_is_nan(tmp_path) -> None:
    path = write_patches_geojson(tmp_path / "a.geojson", SCORES)
    content = json.loads(path.read_text())
    del content["features"][0]["properties"]["measurements"]["prob_Other"]
    path.write_text(json.dumps(content))
    back = read_patches_geojson(path)
    assert np.isnan(back.probabilities[0, back.class_names.index("Other")])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1, 2]",
        "not json",
        '{"features": []}',
        '[{"geometry": null, "properties": {}}]',
        '[{"geometry": {"coordinates": "x"}, "properties": {"measurements": {"prob_a": 1}}}]',
    ],
)
def test_other_files_are_refused(tmp_path, text) -> None:
    path = tmp_path / "bad.geojson"
    path.write_text(text)
    with pytest.raises(DamagedFileError, match=r"bad\.geojson"):
        read_patches_geojson(path)


def test_truncated_gzip_is_refused(tmp_path) -> None:
    path = write_patches_geojson(tmp_path / "a.geojson.gz", SCORES)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedFileError, match="cannot be read"):
        read_patches_geojson(path)
