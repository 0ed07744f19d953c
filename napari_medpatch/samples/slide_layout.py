"""Where tissue, tumour and pen lie on a simulated slide: smooth fields, evaluated wherever a tile needs them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.samples.shapes import Field, smooth_noise

SLIDE_CLASSES = ("glass", "normal", "tumour", "pen")
"""Names of the values of the truth map."""
NORMAL_TISSUES = {"stroma": 0.6, "glands": 0.3, "lymphocytes": -0.6, "fat": -0.4}
"""Textures of normal tissue, and how readily each appears."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Coarse fields over the whole slide; positive means inside.

    Parameters
    ----------
    size : (Y, X)
        Level-0 pixels.
    tissue, tumour, pen : (y, x) float32
        Sign says inside or outside, size grows with the distance to the border.
    normal : (4, y, x) float32
        One field per normal tissue; the largest wins.
    """

    size: tuple[int, int]
    tissue: Field
    tumour: Field
    pen: Field
    normal: Field

    def at(self, field: Field, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Field:
        """Return a field at level-0 pixel centres ``rows`` × ``columns``, linearly interpolated."""
        first, low, high = _weights(rows, self.size[0], field.shape[0])
        second, left, right = _weights(columns, self.size[1], field.shape[1])
        upper = field[first][:, second] * left + field[first][:, second + 1] * right
        lower = field[first + 1][:, second] * left + field[first + 1][:, second + 1] * right
        return np.asarray(upper * low[:, None] + lower * high[:, None], np.float32)

    def classes(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return indices into :data:`SLIDE_CLASSES` at level-0 pixel centres."""
        found = self.beneath(rows, columns)
        found[self.at(self.pen, rows, columns) > 0] = 3
        return found

    def beneath(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return what :meth:`classes` would without the pen: the pen may be drawn on glass or on tissue."""
        tissue = self.at(self.tissue, rows, columns) > 0
        found = tissue.astype(np.uint8)
        found[tissue & (self.at(self.tumour, rows, columns) > 0)] = 2
        return found

    def kinds(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return which normal tissue lies at level-0 pixel centres: an index into the normal textures."""
        kinds: NDArray[np.intp] = np.argmax(np.stack([self.at(f, rows, columns) for f in self.normal]), axis=0)
        return kinds


def _weights(places: NDArray[np.float64], size: int, cells: int) -> tuple[NDArray[np.intp], Field, Field]:
    """Return the lower cell and the weights of both neighbours for pixel centres along one axis."""
    cell = np.clip((np.asarray(places, np.float64) + 0.5) * (cells / size) - 0.5, 0, cells - 1)
    lower = np.minimum(cell.astype(np.intp), max(cells - 2, 0))
    share = (cell - lower).astype(np.float32)
    return lower, 1 - share, share


def draw_layout(size: tuple[int, int], rng: np.random.Generator) -> Layout:
    """Lay out one to three pieces of tissue, some tumour in them and a pen line beside it.

    Parameters
    ----------
    size : (Y, X)
        Level-0 pixels.
    rng : numpy.random.Generator
        Source of randomness.
    """
    cell = max(4.0, max(size) / 384)
    shape = (max(8, round(size[0] / cell)), max(8, round(size[1] / cell)))
    y, x = np.meshgrid(*((np.arange(n) + 0.5) / n for n in shape), indexing="ij")
    side = min(shape)
    ragged = smooth_noise(shape, side / 7, rng) * 0.07 + smooth_noise(shape, side / 25, rng) * 0.02
    pieces = [
        1 - np.hypot((y - rng.uniform(0.42, 0.58)) / rng.uniform(0.3, 0.4), (x - middle) / rng.uniform(0.3, 0.42))
        for middle in ((0.5,) if rng.random() < 0.6 else (0.3, 0.72))
    ]
    tissue = (np.max(pieces, axis=0) + ragged).astype(np.float32)
    mass = smooth_noise(shape, side / 4, rng) + 0.25 * smooth_noise(shape, side / 12, rng)
    tumour = mass - np.quantile(mass[tissue > 0], 0.62)
    normal = np.stack([smooth_noise(shape, side / 6, rng) + bias for bias in NORMAL_TISSUES.values()])
    return Layout(size, tissue, tumour.astype(np.float32), _pen(y, x, rng), normal.astype(np.float32))


def _pen(y: NDArray[np.float64], x: NDArray[np.float64], rng: np.random.Generator) -> Field:
    """Return a wavy stroke near one edge of the slide."""
    wave = 0.03 * np.sin(x * rng.uniform(8, 16)) + 0.07
    centre = wave if rng.random() < 0.5 else 1 - wave
    thickness = 0.02
    start, end = rng.uniform(0.1, 0.3), rng.uniform(0.6, 0.9)
    return np.minimum(thickness - np.abs(y - centre), np.minimum(x - start, end - x)).astype(np.float32)
