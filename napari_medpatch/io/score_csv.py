"""Tables of probabilities: one row per patch of a slide, or per image of a folder.

The columns are WSInfer's: ``minx,miny,width,height,prob_<class>…`` in level-0 pixels; ``uncertainty`` and
``attention`` follow where they are known.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.io.scores import EXTRA_NAMES, Extras, ImageScores, PatchScores

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
    return _write(path, _BOX, corners, scores)


def write_image_scores(path: str | os.PathLike[str], scores: ImageScores) -> Path:
    """Write a folder's table ``file,prob_<class>…`` atomically, with the columns of :func:`write_patch_scores`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    return _write(path, ("file",), ([name] for name in scores.files), scores)


def read_patch_scores(path: str | os.PathLike[str]) -> PatchScores:
    """Read a slide's table, ours or WSInfer's.

    Raises
    ------
    DamagedFileError
        If columns are missing or a value is not a number.
    """
    with _table(path, _BOX) as (columns, rows):
        values = [([int(float(row[key])) for key in _BOX], columns.values(row)) for row in rows]
    minx, miny, width, height = np.array([v[0] for v in values], np.int64).reshape(-1, 4).T
    boxes = np.stack([miny, minx, miny + height, minx + width], axis=1)
    probabilities, extras = columns.split([v[1] for v in values])
    return PatchScores(boxes, probabilities, columns.classes, extras)


def read_image_scores(path: str | os.PathLike[str]) -> ImageScores:
    """Read a folder's table.

    Raises
    ------
    DamagedFileError
        If columns are missing or a value is not a number.
    """
    with _table(path, ("file",)) as (columns, rows):
        values = [(str(row["file"]), columns.values(row)) for row in rows]
    probabilities, extras = columns.split([v[1] for v in values])
    return ImageScores(tuple(v[0] for v in values), probabilities, columns.classes, extras)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which numbers a table holds per row."""

    classes: tuple[str, ...]
    extras: tuple[str, ...]

    def values(self, row: dict[str, str]) -> list[float]:
        return [float(row[key]) for key in (*(_PREFIX + name for name in self.classes), *self.extras)]

    def split(self, rows: list[list[float]]) -> tuple[npt.NDArray[np.float32], Extras]:
        """Return the probabilities, and the extras by name."""
        values = np.array(rows, np.float32).reshape(-1, len(self.classes) + len(self.extras))
        count = len(self.classes)
        return values[:, :count], {name: values[:, count + i] for i, name in enumerate(self.extras)}


def _write(
    path: str | os.PathLike[str],
    keys: Sequence[str],
    heads: Iterable[Sequence[Any]],
    scores: PatchScores | ImageScores,
) -> Path:
    target = Path(path)
    extras = [name for name in EXTRA_NAMES if name in scores.extras]
    table = np.column_stack([scores.probabilities, *(scores.extras[name] for name in extras)])
    with atomic_file(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*keys, *(_PREFIX + name for name in scores.class_names), *extras])
        for head, values in zip(heads, table.tolist(), strict=True):
            writer.writerow([*head, *(f"{value:.9g}" for value in values)])
    return target


@contextmanager
def _table(path: str | os.PathLike[str], keys: Sequence[str]) -> Iterator[tuple[_Columns, "csv.DictReader[str]"]]:
    """Open a table, check its columns and turn every mistake in it into one sentence."""
    with _opened(Path(path)) as file:
        try:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            names = tuple(c[len(_PREFIX) :] for c in columns if c.startswith(_PREFIX))
            missing = [key for key in keys if key not in columns] + ([] if names else [_PREFIX + "…"])
            if missing:
                raise DamagedFileError(f"{path} is not a table of scores: it has no column {', '.join(missing)}.")
            yield _Columns(names, tuple(name for name in EXTRA_NAMES if name in columns)), reader
        except (TypeError, ValueError, csv.Error) as error:
            raise DamagedFileError(f"{path} is damaged near line {reader.line_num}: {error}.") from error


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise DamagedFileError(f"{path} cannot be read: {error.strerror or error}.") from error
