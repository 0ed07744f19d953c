"""Boxes, spacings and the transform of grids derived from an image: the only place that computes them.

Conventions: pixel centres sit on integer coordinates; arrays are ``(Y, X)`` or ``(Z, Y, X)``; boxes are
half-open and in level-0 pixels until the last moment; level downsamples are floats and never rounded.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from napari_medpatch.errors import GeometryError


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open axis-aligned box of integer pixels or voxels.

    Parameters
    ----------
    start, stop : tuple of int
        First corner and one past the last, in array axis order.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.start) != len(self.stop):
            raise GeometryError(f"A box needs as many starts as stops, got {self.start} and {self.stop}.")

    @classmethod
    def whole(cls, shape: Sequence[int]) -> "Box":
        """Return the box that covers an array of ``shape``."""
        return cls((0,) * len(shape), tuple(int(n) for n in shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Edge lengths, never negative."""
        return tuple(max(0, b - a) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Index of this box in an array whose origin is 0."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def clip(self, shape: Sequence[int]) -> "Box":
        """Return the part inside an array of ``shape`` (possibly empty)."""
        start = tuple(min(max(a, 0), n) for a, n in zip(self.start, shape, strict=True))
        stop = tuple(min(max(b, a), n) for a, b, n in zip(start, self.stop, shape, strict=True))
        return Box(start, stop)

    def grow(self, margin: Sequence[int]) -> "Box":
        """Return the box grown by ``margin`` on both sides of each axis."""
        start = tuple(a - m for a, m in zip(self.start, margin, strict=True))
        stop = tuple(b + m for b, m in zip(self.stop, margin, strict=True))
        return Box(start, stop)

    def shift(self, offset: Sequence[int]) -> "Box":
        """Return the box moved by ``offset``."""
        start = tuple(a + o for a, o in zip(self.start, offset, strict=True))
        stop = tuple(b + o for b, o in zip(self.stop, offset, strict=True))
        return Box(start, stop)


@dataclass(frozen=True, slots=True)
class Spacing:
    """Physical size of a pixel of the finest level.

    Parameters
    ----------
    values : tuple of float
        Size along each spatial array axis: ``(y, x)`` or ``(z, y, x)``.
    unit : str
        ``"um"`` for slides, ``"mm"`` for volumes.
    origin : str
        Where the value comes from, for people: ``"aperio.MPP"``, ``"TIFF resolution"``, ``"user"``.
    """

    values: tuple[float, ...]
    unit: str
    origin: str

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) and v > 0 for v in self.values):
            raise GeometryError(
                f"Pixel size {self.values} {self.unit} (from {self.origin}) is not positive; give the real one."
            )

    @property
    def mean(self) -> float:
        """Arithmetic mean over the axes, in ``unit`` (WSInfer's ``get_avg_mpp`` for slides)."""
        return sum(self.values) / len(self.values)

    def scaled(self, factor: float | Sequence[float]) -> "Spacing":
        """Return the spacing of a grid that is ``factor`` times coarser."""
        factors = (factor,) * len(self.values) if isinstance(factor, int | float) else tuple(factor)
        return replace(self, values=tuple(v * f for v, f in zip(self.values, factors, strict=True)))


@dataclass(frozen=True, slots=True)
class GridTransform:
    """Where a derived grid lies over its source, as napari's ``scale`` and ``translate``.

    Parameters
    ----------
    scale : tuple of float
        Step from one cell to the next, per axis.
    translate : tuple of float
        Centre of cell 0 relative to the centre of source pixel 0, per axis.
    """

    scale: tuple[float, ...]
    translate: tuple[float, ...]


def derived_grid(
    step_px: Sequence[float],
    pixel: Sequence[float],
    origin_px: Sequence[float] | None = None,
    cell_px: Sequence[float] | None = None,
) -> GridTransform:
    """Return the transform of a grid of cells laid over source pixels.

    A cell of ``s`` pixels whose first pixel is ``o`` has its centre at ``o + (s - 1) / 2`` pixels, so a
    grid of cell size ``s`` over pixels of size ``p`` sits at ``(s - p) / 2`` when its origin is 0.

    Parameters
    ----------
    step_px : sequence of float
        Distance between neighbouring cells in source pixels (the downsample, or the patch stride).
    pixel : sequence of float
        Size of a source pixel (1 when unknown).
    origin_px : sequence of float, optional
        First pixel of cell 0; 0 by default.
    cell_px : sequence of float, optional
        Extent of a cell in source pixels; ``step_px`` by default. Give the patch size when patches
        overlap or leave gaps, so that the drawn cell stays centred on its patch.

    Returns
    -------
    GridTransform
        In the unit of ``pixel``.
    """
    origins = tuple(origin_px) if origin_px is not None else (0.0,) * len(step_px)
    cells = tuple(cell_px) if cell_px is not None else tuple(step_px)
    scale = tuple(float(s * p) for s, p in zip(step_px, pixel, strict=True))
    translate = tuple(float((o + (c - 1) / 2) * p) for o, c, p in zip(origins, cells, pixel, strict=True))
    return GridTransform(scale, translate)


def level_box(box0: Box, downsample: Sequence[float]) -> Box:
    """Return the pixels of a level that a level-0 box covers; rounds once, outwards.

    Parameters
    ----------
    box0 : Box
        In level-0 pixels.
    downsample : sequence of float
        Level-0 pixels per level pixel, per axis.
    """
    start = tuple(math.floor(a / d + 1e-9) for a, d in zip(box0.start, downsample, strict=True))
    stop = tuple(math.ceil(b / d - 1e-9) for b, d in zip(box0.stop, downsample, strict=True))
    return Box(start, stop)


def split_axis(length: int, step: int) -> Iterable[tuple[int, int]]:
    """Yield consecutive half-open ranges of at most ``step`` that cover ``0…length``."""
    for start in range(0, length, step):
        yield start, min(start + step, length)
