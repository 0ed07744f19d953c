"""The most and least confident patches of a result, and their pictures."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError
from napari_medpatch.events import Event, Finished, Job, PictureRead, Started
from napari_medpatch.geometry import Box, level_box
from napari_medpatch.io.source import Source, finest_level_at_least

if TYPE_CHECKING:
    from napari_medpatch.infer.classify_result import ClassifyResult
    from napari_medpatch.patches.grid import PatchGrid

Values = npt.NDArray[np.float32]
Rgb = npt.NDArray[np.uint8]

THUMBNAIL_PX = 96
PROBABILITY = "probability"
"""What patches are ranked by unless another value is named."""


@dataclass(frozen=True, slots=True, eq=False)
class Picks:
    """Patches in an order.

    Parameters
    ----------
    cells : ndarray
        ``(N, 2) int64``, row and column on the grid.
    values : ndarray
        ``(N,) float32``, what they were ranked by.
    boxes : ndarray
        ``(N, 4) int64``, ``y0, x0, y1, x1`` in level-0 pixels; empty where the grid is not known.
    """

    cells: npt.NDArray[np.int64]
    values: Values
    boxes: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 4), np.int64))

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Both ends of a ranking.

    Parameters
    ----------
    class_name : str
        Whose probability, or of which class the ranking is.
    by : str
        ``"probability"``, or the name of an extra (``"uncertainty"``, ``"attention"``).
    most, least : Picks
        From the highest value down, and from the lowest up; no patch is in both.
    """

    class_name: str
    by: str
    most: Picks
    least: Picks


def ends(values: Values, n: int, grid: "PatchGrid | None" = None) -> tuple[Picks, Picks]:
    """Return the patches with the highest and the lowest values of a map.

    Parameters
    ----------
    values : ndarray
        ``(rows, cols) float32``, NaN where no patch was scored (yet).
    n : int
        How many of each; fewer where there are fewer than 2 n patches.
    grid : PatchGrid, optional
        Gives the boxes.

    Returns
    -------
    tuple of Picks
        Highest first and lowest first. Equal values keep the order of reading, row by row.
    """
    if n < 1:
        raise GeometryError(f"A gallery of {n} patches is empty; ask for one or more.")
    flat = np.asarray(values, np.float32).ravel()
    known = np.flatnonzero(np.isfinite(flat))
    high = min(n, (len(known) + 1) // 2)
    low = min(n, len(known) - high)
    picks = []
    for sign, count in ((-1.0, high), (1.0, low)):
        chosen = known[_lowest(sign * flat[known], count)]
        known = np.setdiff1d(known, chosen, assume_unique=True)
        cells = np.stack(np.unravel_index(chosen, values.shape), axis=1).astype(np.int64)
        boxes = grid.boxes(cells) if grid is not None else np.empty((0, 4), np.int64)
        picks.append(Picks(cells, flat[chosen], boxes))
    return picks[0], picks[1]


def most_and_least(result: "ClassifyResult", class_index: int, n: int = 12, by: str = PROBABILITY) -> Gallery:
    """Return the patches of which a model is most and least sure.

    Parameters
    ----------
    result : ClassifyResult
        Of a slide or photograph.
    class_index : int
        Which class.
    n : int
        How many of each.
    by : str
        ``"probability"`` of the class, or the name of one of the result's extras.

    Raises
    ------
    GeometryError
        If the result has no such class or extra.
    """
    names = result.class_names
    if not 0 <= class_index < len(names):
        raise GeometryError(f"The result has no class {class_index}; it has {', '.join(names)}.")
    if by != PROBABILITY and by not in result.extras:
        known = ", ".join((PROBABILITY, *result.extras))
        raise GeometryError(f"The result has no {by!r} to rank patches by; it has {known}.")
    values = result.probabilities[..., class_index] if by == PROBABILITY else result.extras[by]
    most, least = ends(values, n, result.grid)
    return Gallery(names[class_index], by, most, least)


def thumbnails(source: Source, boxes: npt.NDArray[np.int64], edge: int = THUMBNAIL_PX) -> Job:
    """Read small pictures of patches, one by one.

    Parameters
    ----------
    source : Source
        The slide or photograph.
    boxes : ndarray
        ``(N, 4) int64``, ``y0, x0, y1, x1`` in level-0 pixels.
    edge : int
        Longer side of a picture.

    Yields
    ------
    Event
        :class:`Started`; :class:`PictureRead` per patch, in order; :class:`Finished` with their number.
    """
    yield Started(len(boxes), "pictures")
    for index, box in enumerate(boxes.tolist()):
        yield PictureRead(index, thumbnail(source, box, edge))
    yield Finished(len(boxes))


def thumbnail(source: Source, box: Sequence[int], edge: int = THUMBNAIL_PX) -> Rgb:
    """Return one patch, ``(Y, X, 3) uint8``, its longer side ``edge`` pixels."""
    from PIL import Image

    y0, x0, y1, x1 = box
    extent = max(y1 - y0, x1 - x0)
    level = finest_level_at_least(source, extent / edge)
    pixels = source.read(level, level_box(Box((y0, x0), (y1, x1)), source.levels[level].downsample))
    width, height = (max(1, round(edge * n / extent)) for n in (x1 - x0, y1 - y0))
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def write_gallery(
    result: "ClassifyResult",
    source: Source,
    path: str | os.PathLike[str],
    *,
    class_index: int = -1,
    n: int = 12,
    by: str = PROBABILITY,
) -> Path:
    """Write both ends of a ranking as one picture, with values under the patches.

    Parameters
    ----------
    result, class_index, n, by
        As :func:`most_and_least`; the last class by default.
    source : Source
        The image that was classified.
    path : path-like
        ``.png``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from napari_medpatch.io.png import write_png

    gallery = most_and_least(result, class_index % len(result.class_names), n, by)
    what = f"p({gallery.class_name})" if by == PROBABILITY else by
    rows: Mapping[str, Picks] = {f"highest {what}": gallery.most, f"lowest {what}": gallery.least}
    strips = [_strip(source, picks, title) for title, picks in rows.items() if len(picks)]
    if not strips:
        raise GeometryError("The result has no scored patches, so there is no gallery to write.")
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(s, ((0, 0), (0, width - s.shape[1]), (0, 0)), constant_values=255) for s in strips]
    return write_png(np.concatenate(padded), path)


_GAP, _TEXT, _PER_ROW = 6, 16, 12


def _lowest(values: Values, count: int) -> npt.NDArray[np.int64]:
    """Return where the lowest values are, in their order; equal ones in the order they come."""
    if not count:
        return np.empty(0, np.int64)
    limit = np.partition(values, count - 1)[count - 1]
    near = np.flatnonzero(values <= limit)
    return near[np.argsort(values[near], kind="stable")][:count]


def _strip(source: Source, picks: Picks, title: str) -> Rgb:
    """Draw a title and rows of patches."""
    from PIL import Image, ImageDraw

    cell = THUMBNAIL_PX + _GAP
    columns = min(_PER_ROW, max(3, len(picks)))
    rows = -(-len(picks) // columns)
    sheet = Image.new("RGB", (columns * cell + _GAP, rows * (cell + _TEXT) + _TEXT + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 3), title, fill="black")
    for index, picture in enumerate(_pictures(thumbnails(source, picks.boxes))):
        row, column = divmod(index, columns)
        x, y = _GAP + column * cell, _TEXT + _GAP + row * (cell + _TEXT)
        sheet.paste(Image.fromarray(picture), (x, y))
        draw.text((x, y + THUMBNAIL_PX + 2), f"{picks.values[index]:.3f}", fill="black")
    return np.asarray(sheet)


def _pictures(job: Iterator[Event]) -> Iterator[Rgb]:
    for event in job:
        if isinstance(event, PictureRead):
            yield event.pixels
