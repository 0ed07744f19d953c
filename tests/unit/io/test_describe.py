"""The facts for ``info --json``."""

import json
from pathlib import Path

import numpy as np
from slide_cases import picture, shrunk, write_pyramid

from napari_medpatch.geometry import Spacing
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.describe import describe
from napari_medpatch.io.slide import OpenSlideSource

KEYS = {"path", "kind", "format", "shape", "axes", "dtype", "spacing", "spacing_unit", "spacing_origin", "levels"}


def test_a_slides_facts(tmp_path: Path) -> None:
    fine = picture(1301, 2207)
    path = write_pyramid(tmp_path / "a.tif", [fine, shrunk(fine, 325, 551)], resolution=(40000, 20000))
    with OpenSlideSource(path) as source:
        facts = json.loads(json.dumps(describe(source), allow_nan=False))
    assert set(facts) >= KEYS
    assert facts["path"] == str(path)
    assert (facts["kind"], facts["format"], facts["dtype"]) == ("slide", "tiled TIFF", "uint8")
    assert (facts["shape"], facts["axes"]) == ([1301, 2207, 3], "YXC")
    assert (facts["spacing"], facts["spacing_unit"], facts["spacing_origin"]) == ([0.5, 0.25], "um", "TIFF resolution")
    assert [level["synthetic"] for level in facts["levels"]] == [False, True, False]
    assert facts["levels"][2] == {"shape": [325, 551], "downsample": [1301 / 325, 2207 / 551], "synthetic": False}
    assert facts["associated_images"] == []


def test_a_missing_size_is_null_with_a_note(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [picture(90, 80)], resolution=(72, 72), resolutionunit="INCH")
    with OpenSlideSource(path) as source:
        facts = describe(source)
    assert facts["spacing"] is facts["spacing_unit"] is facts["spacing_origin"] is None
    assert "72 dpi" in facts["spacing_note"]


def test_a_volumes_facts() -> None:
    facts = describe(ArraySource(np.zeros((4, 5, 6), np.int16), "volume", (2.0, 1.0, 1.0)))
    assert (facts["shape"], facts["axes"]) == ([4, 5, 6], "ZYX")
    assert (facts["spacing"], facts["spacing_unit"]) == ([2.0, 1.0, 1.0], "mm")
    assert facts["levels"] == [{"shape": [4, 5, 6], "downsample": [1.0, 1.0, 1.0], "synthetic": False}]


def test_metadata_become_json_and_never_hide_the_facts() -> None:
    metadata = {"kind": "nonsense", "affine": np.eye(2), "folder": Path("a"), "n": np.int64(3), "t": (1, {"x": None})}
    source = ArraySource(picture(9, 8), "photo", Spacing((1.0, 1.0), "um", "test"), metadata=metadata)
    facts = json.loads(json.dumps(describe(source)))
    assert facts["kind"] == "photo"
    assert facts["affine"] == [[1.0, 0.0], [0.0, 1.0]]
    assert (facts["folder"], facts["n"], facts["t"]) == ("a", 3, [1, {"x": None}])
