"""Import of objects by the rules of QuPath's QuPathTypeAdapters.java (0.4 and later), but without its mercy.

QuPath ignores what it does not understand; here that is an error, because it would be lost.
"""

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KINDS = {"annotation", "detection", "tile", "cell", "tmaCore"}
_PROPERTIES = {"objectType", "name", "color", "classification", "isLocked", "measurements", "metadata", "childObjects"}


@dataclass(frozen=True)
class PathObject:
    """What QuPath makes of a feature."""

    id: UUID
    kind: str
    path_class: str | None
    colour: tuple[int, ...] | None
    measurements: dict[str, float]
    bounds: tuple[float, float, float, float]


def import_objects(path: Path) -> list[PathObject]:
    """Read ``.geojson`` or ``.geojson.gz``; anything that QuPath would drop or stumble over is an AssertionError."""
    raw = path.read_bytes()
    assert (raw[:2] == b"\x1f\x8b") == (path.suffix == ".gz"), "QuPath tells gzip by the name"
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    content = json.loads(text.decode("utf-8"), parse_constant=_refuse)
    if isinstance(content, dict):
        assert content["type"] == "FeatureCollection"
        content = content["features"]
    objects = [_object(feature) for feature in content]
    assert len({found.id for found in objects}) == len(objects), "two objects have one id"
    return objects


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _object(feature: dict[str, Any]) -> PathObject:
    assert feature["type"] == "Feature"
    assert set(feature) <= {"type", "id", "geometry", "properties", "nucleusGeometry"}, "lost outside of properties"
    assert _UUID.fullmatch(feature["id"]), "an id that is no UUID is dropped"
    properties = feature["properties"]
    assert set(properties) <= _PROPERTIES, f"lost: {set(properties) - _PROPERTIES}"
    assert properties["objectType"] in _KINDS, "becomes an annotation"
    name, colour = _classification(properties.get("classification"))
    return PathObject(
        UUID(feature["id"]),
        properties["objectType"],
        name,
        colour,
        _measurements(properties.get("measurements", {})),
        _polygon(feature["geometry"]),
    )


def _classification(value: Any) -> tuple[str | None, tuple[int, ...] | None]:
    if value is None or isinstance(value, str):
        return value, None
    assert set(value) <= {"name", "names", "color", "colorRGB"}
    assert ("name" in value) != ("names" in value)
    colour = value["color"]  # An object without a colour is a JsonParseException.
    assert isinstance(colour, list)
    assert len(colour) == 3
    assert all(type(part) is int and 0 <= part <= 255 for part in colour)
    return value.get("name") or ": ".join(value["names"]), tuple(colour)


def _measurements(value: Any) -> dict[str, float]:
    assert isinstance(value, dict), "the list of before 0.4"
    assert all(type(number) in (int, float) for number in value.values()), "Map<String, Double> takes numbers only"
    return {name: float(number) for name, number in value.items()}


def _polygon(geometry: dict[str, Any]) -> tuple[float, float, float, float]:
    assert geometry["type"] == "Polygon"
    for ring in geometry["coordinates"]:
        assert len(ring) >= 4
        assert ring[0] == ring[-1], "JTS: points of a LinearRing do not form a closed line string"
        assert all(len(point) == 2 and all(type(v) in (int, float) for v in point) for point in ring)
    xs, ys = zip(*geometry["coordinates"][0], strict=True)
    return min(xs), min(ys), max(xs), max(ys)
