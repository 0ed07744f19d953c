"""Tables of probabilities: one row per patch of a slide, or per image of a folder.

The columns are WSInfer's: ``minx,miny,width,height,prob_<class>…`` in level-0 pixels.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.io.scores import ImageScores, PatchScores

_BOX = ("minx", "miny", "width", "height")
_PREFIX = "prob_"


def write_patch_scores(path: str | os.PathLike[str], scores: PatchScores) -> Path:
    """Write a slide's table atomically; nine digits, so that reading gives the same float32.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    y0, x0, y1, x1 = scores.boxes.T
    corners = np.stack([x0, y0, x1 - x0, y1 - y0], axis=1).tolist()
    return _write(path, _BOX, corners, scores.probabilities, scores.class_names)


def write_image_scores(path: str | os.PathLike[str], scores: ImageScores) -> Path:
    """Write a folder's table ``file,prob_<class>…`` atomically.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    return _write(path, ("file",), ([name] for name in scores.files), scores.probabilities, scores.class_names)


def read_patch_scores(path: str | os.PathLike[str]) -> PatchScores:
    """Read a slide's table, ours or WSInfer's.

    Raises
    ------
    DamagedFileError
        If columns are missing or a value is not a number.
    """
    with _table(path, _BOX) as (names, rows):
        values = [([int(float(row[key])) for key in _BOX], _probabilities(row, names)) for row in rows]
    minx, miny, width, height = np.array([v[0] for v in values], np.int64).reshape(-1, 4).T
    boxes = np.stack([miny, minx, miny + height, minx + width], axis=1)
    return PatchScores(boxes, _matrix([v[1] for v in values], names), names)


def read_image_scores(path: str | os.PathLike[str]) -> ImageScores:
    """Read a folder's table.

    Raises
    ------
    DamagedFileError
        If columns are missing or a value is not a number.
    """
    with _table(path, ("file",)) as (names, rows):
        values = [(str(row["file"]), _probabilities(row, names)) for row in rows]
    return ImageScores(tuple(v[0] for v in values), _matrix([v[1] for v in values], names), names)


def _write(
    path: str | os.PathLike[str],
    keys: Sequence[str],
    heads: Iterable[Sequence[Any]],
    probabilities: npt.NDArray[np.float32],
    class_names: Sequence[str],
) -> Path:
    target = Path(path)
    with atomic_file(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*keys, *(_PREFIX + name for name in class_names)])
        for head, values in zip(heads, probabilities.tolist(), strict=True):
            writer.writerow([*head, *(f"{value:.9g}" for value in values)])
    return target


@contextmanager
def _table(
    path: str | os.PathLike[str], keys: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], "csv.DictReader[str]"]]:
    """Open a table, check its columns and turn every mistake in it into one sentence."""
    with _opened(Path(path)) as file:
        try:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            names = tuple(c[len(_PREFIX) :] for c in columns if c.startswith(_PREFIX))
            missing = [key for key in keys if key not in columns] + ([] if names else [_PREFIX + "…"])
            if missing:
                raise DamagedFileError(f"{path} is not a table of scores: it has no column {', '.join(missing)}.")
            yield names, reader
        except (TypeError, ValueError, csv.Error) as error:
            raise DamagedFileError(f"{path} is damaged near line {reader.line_num}: {error}.") from error


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise DamagedFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def _probabilities(row: dict[str, str], names: Sequence[str]) -> list[float]:
    return [float(row[_PREFIX + name]) for name in names]


def _matrix(values: list[list[float]], names: Sequence[str]) -> npt.NDArray[np.float32]:
    return np.array(values, np.float32).reshape(-1, len(names))
