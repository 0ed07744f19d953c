"""Read patches back from GeoJSON: ours, WSInfer's and QuPath's own export."""

import gzip
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.score_csv import write_patch_scores
from napari_medpatch.io.scores import EXTRA_NAMES, PatchScores


def read_patches_geojson(path: str | os.PathLike[str], *, prefix: str = "prob_") -> PatchScores:
    """Read the boxes and probabilities of patches.

    Parameters
    ----------
    path : path-like
        ``.geojson`` or ``.geojson.gz``: a FeatureCollection or a bare array of features.
    prefix : str
        What stands before the class name in measurements; ``""`` takes every measurement for a class.

    Returns
    -------
    PatchScores
        NaN where a feature lacks a class or an extra (``uncertainty``, ``attention``) that another one has.

    Raises
    ------
    DamagedFileError
        If the file is not GeoJSON or holds no patch with such a measurement.
    """
    features = read_features(path)
    found = [(_box(f, path), _measurements(f, prefix)) for f in features]
    patches = [(box, values) for box, values in found if values.keys() - set(EXTRA_NAMES)]
    if not patches:
        raise DamagedFileError(f"{path} holds no patches with measurements named {prefix}…; nothing to read.")
    known = dict.fromkeys(name for _, values in patches for name in values)
    names = tuple(name for name in known if name not in EXTRA_NAMES)
    columns = {n: np.array([values.get(n, np.nan) for _, values in patches], np.float32) for n in known}
    probabilities = np.stack([columns[name] for name in names], axis=1)
    extras = {name: columns[name] for name in EXTRA_NAMES if name in known}
    return PatchScores(np.array([box for box, _ in patches], np.int64), probabilities, names, extras)


def geojson_to_csv(source: str | os.PathLike[str], target: str | os.PathLike[str], *, prefix: str = "prob_") -> Path:
    """Convert a file of scored patches to the table ``minx,miny,width,height,prob_<class>…``."""
    return write_patch_scores(target, read_patches_geojson(source, prefix=prefix))


def read_features(path: str | os.PathLike[str]) -> list[Mapping[str, Any]]:
    """Return the features of a GeoJSON file.

    Raises
    ------
    DamagedFileError
        If the file cannot be read or is not GeoJSON.
    """
    try:
        raw = Path(path).read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        content = json.loads(text)
    except (OSError, EOFError, ValueError) as error:
        raise DamagedFileError(f"{path} cannot be read as GeoJSON: {error}.") from error
    features = content.get("features") if isinstance(content, dict) else content
    if not isinstance(features, list) or not all(isinstance(f, dict) and "geometry" in f for f in features):
        raise DamagedFileError(f"{path} is JSON but holds no GeoJSON features.")
    return features


def _box(feature: Mapping[str, Any], path: str | os.PathLike[str]) -> tuple[int, int, int, int]:
    """Return the bounds ``y0, x0, y1, x1`` of a feature."""
    try:
        points = np.array(list(_points(feature["geometry"]["coordinates"])), np.float64)
        x0, y0 = np.floor(points.min(axis=0) + 0.5).astype(int).tolist()
        x1, y1 = np.floor(points.max(axis=0) + 0.5).astype(int).tolist()
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{path} has a feature without readable coordinates: {error}.") from error
    return y0, x0, y1, x1


def _points(coordinates: Any) -> Iterable[tuple[float, float]]:
    """Flatten a point, ring, polygon or multi-polygon."""
    if not isinstance(coordinates, list) or not coordinates:
        raise ValueError(f"{coordinates!r} are no coordinates")
    if isinstance(coordinates[0], int | float):
        yield float(coordinates[0]), float(coordinates[1])
        return
    for part in coordinates:
        yield from _points(part)


def _measurements(feature: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Return probabilities by class, and the extras; understands the ``{name, value}`` list of QuPath before 0.4."""
    found = (feature.get("properties") or {}).get("measurements") or {}
    if isinstance(found, list):
        found = {entry.get("name"): entry.get("value") for entry in found}
    numbers = {str(name): float(value) for name, value in found.items() if isinstance(value, int | float)}
    extras = {name: value for name, value in numbers.items() if name in EXTRA_NAMES}
    classes = {name[len(prefix) :]: value for name, value in numbers.items() if name.startswith(prefix)}
    return classes | extras
