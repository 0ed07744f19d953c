"""Fingerprints and records."""

import json
import os

import numpy as np

from napari_medpatch.geometry import Spacing
from napari_medpatch.infer.run_record import describe_region, digest, model_digest, plain, source_digest
from napari_medpatch.patches.roi import Region


def test_digest_tells_values_types_and_order_apart() -> None:
    values = [
        digest(np.zeros(2)),
        digest(np.zeros(2, np.float32)),
        digest(np.zeros((2, 1))),
        digest(1, 2),
        digest(2, 1),
    ]
    assert len(set(values)) == 5
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_image_is_known_by_its_pixels_without_a_file(pyramid) -> None:
    rgb = np.zeros((2000, 30, 3), np.uint8)
    before = source_digest(pyramid(rgb))
    assert before == source_digest(pyramid(rgb.copy()))
    rgb[1999, 29, 2] = 1
    assert before != source_digest(pyramid(rgb))


def test_image_is_known_by_its_file(pyramid, tmp_path) -> None:
    path = tmp_path / "a.svs"
    path.write_bytes(b"x" * 3_000_000)
    source = pyramid(np.zeros((5, 5, 3), np.uint8), path=path)
    before = source_digest(source)
    assert before == source_digest(source)
    os.utime(path, (1, 1))
    assert before != source_digest(source)
    assert source.reads == []


def test_image_in_a_folder_is_known_by_its_files(pyramid, tmp_path) -> None:
    (tmp_path / "1.dcm").write_bytes(b"a")
    source = pyramid(np.zeros((5, 5, 3), np.uint8), path=tmp_path)
    before = source_digest(source)
    (tmp_path / "2.dcm").write_bytes(b"b")
    assert before != source_digest(source)


def test_model_is_known_by_card_and_weights(mean_colour, tmp_path) -> None:
    bundle = mean_colour()
    assert model_digest(bundle) != model_digest(mean_colour(("a", "b")))
    bundle.path = tmp_path
    nothing = model_digest(bundle)
    (tmp_path / "torchscript_model.pt").write_bytes(b"weights")
    some = model_digest(bundle)
    (tmp_path / "torchscript_model.pt").write_bytes(b"other weights")
    assert len({nothing, some, model_digest(bundle)}) == 3


def test_plain_values_fit_json(tmp_path) -> None:
    value = {"a": np.float32(0.5), "b": (float("nan"), np.inf), 3: tmp_path, "c": [None, True, np.int64(2)]}
    text = json.dumps(plain(value), allow_nan=False)
    assert json.loads(text) == {"a": 0.5, "b": [None, None], "3": str(tmp_path), "c": [None, True, 2]}


def test_region_is_described_by_its_area() -> None:
    square = np.array([[10.0, 10], [10, 30], [30, 30], [30, 10]])
    hole = square / 2 + 10
    region = Region((square, square[::-1] + 100), ((hole,), ()))
    found = describe_region(region, Spacing((0.5, 0.25), "um", "test"))
    assert found == {"polygons": 2, "area_px": 700.0, "area_um2": 87.5}
    assert describe_region(region, None)["area_um2"] is None
    assert describe_region(None, None) is None
