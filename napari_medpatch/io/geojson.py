"""GeoJSON as QuPath reads it: streamed features with id, type, class and measurements in ``properties``.

QuPath (``QuPathTypeAdapters.java``) takes coordinates as level-0 pixels from the top left corner of the
image, ignores ids that are no UUIDs, wants everything but ``id`` and ``geometry`` inside ``properties``,
and refuses a classification object without an ``[r, g, b]`` colour.
"""

import gzip
import io
import json
import math
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import LabelsError
from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.io.outlines import Outline, outlines
from napari_medpatch.io.scores import PatchScores, winners

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "napari-medpatch")

# Okabe and Ito's colours, told apart by colour-blind readers too; grey-blue first for the usual 'other'.
_COLOURS = (
    (86, 180, 233), (213, 94, 0), (0, 158, 115), (204, 121, 167),
    (240, 228, 66), (0, 114, 178), (230, 159, 0), (120, 120, 120),
)  # fmt: skip

Feature = Mapping[str, Any]


def write_patches_geojson(
    path: str | os.PathLike[str],
    scores: PatchScores,
    *,
    threshold: float | None = None,
    prefix: str = "prob_",
    identity: str = "",
) -> Path:
    """Write patches as QuPath tiles with their class and probabilities.

    Parameters
    ----------
    path : path-like
        ``.geojson``, or ``.geojson.gz`` to compress.
    scores : PatchScores
        Boxes in level-0 pixels and probabilities; ``uncertainty`` and ``attention`` become measurements
        under these names.
    threshold : float, optional
        Operating point of a binary model, see :func:`napari_medpatch.io.scores.winners`. A patch
        of a one-class model below it gets no classification.
    prefix : str
        Before the class name in measurements: WSInfer writes ``prob_``, QuPath's own extension nothing.
    identity : str
        Distinguishes runs: ids are the same whenever this and the box are.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    chosen = winners(scores.probabilities, threshold).tolist()
    names = [prefix + name for name in scores.class_names] + list(scores.extras)
    table = np.column_stack([scores.probabilities, *scores.extras.values()]).tolist()
    features = (
        _tile(box, dict(zip(names, values, strict=True)), scores.class_names, winner, identity)
        for box, values, winner in zip(scores.boxes.tolist(), table, chosen, strict=True)
    )
    return write_features(path, features)


def write_mask_geojson(
    mask: npt.NDArray[np.uint8],
    path: str | os.PathLike[str],
    *,
    class_names: Sequence[str] = (),
    scale: tuple[float, float] = (1.0, 1.0),
    origin: tuple[float, float] = (0.0, 0.0),
) -> Path:
    """Write the connected pieces of a mask as QuPath annotations with holes.

    Parameters
    ----------
    mask : ndarray
        ``(Y, X) uint8``; 0 background, 1… classes.
    path : path-like
        ``.geojson``, or ``.geojson.gz`` to compress.
    class_names : sequence of str
        Of values 1, 2, …; values without a name are called ``class 3`` and so on.
    scale : tuple of float
        Level-0 pixels per pixel of the mask, ``(y, x)``.
    origin : tuple of float
        Level-0 position of the mask's top left *corner* (not of its first pixel's centre), ``(y, x)``.

    Raises
    ------
    LabelsError
        If the mask is not two-dimensional.
    OutputError
        If the file cannot be written.
    """
    if mask.ndim != 2:
        raise LabelsError(f"Outlines need a two-dimensional mask, got shape {mask.shape}; export one slice.")
    return write_features(path, _annotations(mask, class_names, scale, origin))


def write_features(path: str | os.PathLike[str], features: Iterable[Feature]) -> Path:
    """Stream features into a FeatureCollection, one per line; gzip by the suffix ``.gz``."""
    target = Path(path)
    with atomic_file(target) as temporary, _text_writer(temporary, target) as file:
        file.write('{"type": "FeatureCollection", "features": [\n')
        separator = ""
        for feature in features:
            file.write(separator + json.dumps(feature, ensure_ascii=False, allow_nan=False))
            separator = ",\n"
        file.write("\n]}\n")
    return target


def class_colour(index: int) -> list[int]:
    """Return ``[r, g, b]`` of a class; the list repeats after eight."""
    return list(_COLOURS[index % len(_COLOURS)])


def _tile(
    box: Sequence[int], values: Mapping[str, float], names: Sequence[str], winner: int, identity: str
) -> dict[str, Any]:
    y0, x0, y1, x1 = box
    ring: list[list[float]] = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
    properties: dict[str, Any] = {"objectType": "tile"}
    if winner >= 0:
        properties["classification"] = {"name": names[winner], "color": class_colour(winner)}
    # A number that JSON cannot hold is left out: QuPath's reader wants numbers only.
    properties["measurements"] = {name: round(value, 6) for name, value in values.items() if math.isfinite(value)}
    return _feature(f"{identity}/{y0},{x0},{y1},{x1}", [ring], properties)


def _annotations(
    mask: npt.NDArray[np.uint8], class_names: Sequence[str], scale: tuple[float, float], origin: tuple[float, float]
) -> Iterator[dict[str, Any]]:
    for value in np.unique(mask[mask > 0]).tolist():
        name = class_names[value - 1] if value <= len(class_names) else f"class {value}"
        properties = {
            "objectType": "annotation",
            "classification": {"name": name, "color": class_colour(value - 1)},
            "isLocked": False,
        }
        for outline in outlines(mask == value):
            rings = _rings(outline, scale, origin)
            yield _feature(f"{name}/{rings[0]}", rings, properties)


def _rings(outline: Outline, scale: tuple[float, float], origin: tuple[float, float]) -> list[list[list[float]]]:
    """Turn corners into closed rings of ``[x, y]`` in level-0 pixels."""
    rings = []
    for ring in (outline.exterior, *outline.holes):
        corners = (np.asarray(origin) + ring * np.asarray(scale))[:, ::-1].round(3)
        points: list[list[float]] = [[_whole(x), _whole(y)] for x, y in corners.tolist()]
        rings.append([*points, points[0]])
    return rings


def _feature(key: str, rings: list[list[list[float]]], properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(NAMESPACE, key)),
        "geometry": {"type": "Polygon", "coordinates": rings},
        "properties": properties,
    }


def _whole(value: float) -> float:
    """Write 3.0 as 3, which saves a quarter of the file."""
    return int(value) if value == int(value) else value


@contextmanager
def _text_writer(temporary: Path, target: Path) -> Iterator[TextIO]:
    if target.suffix != ".gz":
        with temporary.open("w", encoding="utf-8") as file:
            yield file
        return
    # No name and no time inside, so that the same result gives the same bytes.
    with (
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8") as file,
    ):
        yield file
