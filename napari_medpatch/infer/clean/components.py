"""Steps that keep or drop connected pieces, or fill what they enclose."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.clean.amount import Size
from napari_medpatch.infer.clean.pieces import Pieces
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.infer.clean.work import Bools, Mask, Work


@dataclass(frozen=True, slots=True)
class KeepLargest(CleanStep):
    """Keep the largest pieces of each class; pieces touch by faces (edges in 2D), of equal ones the first stays.

    Parameters
    ----------
    count : int
        How many.
    """

    count: int = 1

    keyword: ClassVar[str] = "largest"
    title: ClassVar[str] = "Keep largest pieces"
    tip: ClassVar[str] = "Keep this many of the largest connected pieces of each class, for example 1 or 2."
    example: ClassVar[str] = "1"

    def apply(self, work: Work) -> Iterator[float]:
        """Drop all other pieces."""
        return work.by_class(self.classes, self._treat)

    def _treat(self, view: Mask, value: int) -> Iterator[float]:
        pieces = Pieces(view == value)
        yield from (share / 2 for share in pieces.find())
        yield from _drop(view, pieces, ~pieces.largest(self.count))

    @property
    def argument(self) -> str:
        """How many."""
        return str(self.count)

    @classmethod
    def parse(cls, argument: str, classes: tuple[str, ...]) -> Self:
        """Read ``"2"``."""
        if not argument.isdecimal() or int(argument) < 1:
            raise SettingsError(f"largest:{argument} does not say how many pieces to keep; write largest:1.")
        return cls(classes, int(argument))


@dataclass(frozen=True, slots=True)
class DropSmall(CleanStep):
    """Drop connected pieces below a size; pieces touch by faces (edges in 2D).

    Parameters
    ----------
    size : Size
        What is smaller goes.
    """

    size: Size = field(default_factory=lambda: Size(1.0))

    keyword: ClassVar[str] = "drop"
    title: ClassVar[str] = "Drop small pieces"
    tip: ClassVar[str] = "Drop connected pieces smaller than this: 2ml or 500mm3 in volumes, 50um2 in pictures, 10px."
    example: ClassVar[str] = "1ml"

    def apply(self, work: Work) -> Iterator[float]:
        """Drop them."""
        smallest = self.size.in_voxels(work.place.voxel, work.place.unit)

        def treat(view: Mask, value: int) -> Iterator[float]:
            pieces = Pieces(view == value)
            yield from (share / 2 for share in pieces.find())
            yield from _drop(view, pieces, pieces.sizes < smallest)

        return work.by_class(self.classes, treat)

    def fits(self, work: Work) -> None:
        """Raise if the unit does not fit."""
        self.size.in_voxels(work.place.voxel, work.place.unit)

    @property
    def argument(self) -> str:
        """The size."""
        return str(self.size)

    @classmethod
    def parse(cls, argument: str, classes: tuple[str, ...]) -> Self:
        """Read ``"2ml"``."""
        return cls(classes, Size.parse(argument))


@dataclass(frozen=True, slots=True)
class FillHoles(CleanStep):
    """Give background that a class encloses to that class.

    Background that touches by corners only is still one hole, or thin walls would leak. A part of a hole that
    belongs to another class stays.

    Parameters
    ----------
    slices : bool
        Look at each slice along the first axis by itself.
    """

    slices: bool = False

    keyword: ClassVar[str] = "fill-holes"
    title: ClassVar[str] = "Fill holes"
    tip: ClassVar[str] = "Fill what a class encloses; with slices, look at each axial slice by itself."
    example: ClassVar[str] = ""

    def apply(self, work: Work) -> Iterator[float]:
        """Fill them."""
        flat = self.slices and work.mask.ndim == 3
        return work.by_class(self.classes, _fill_slices if flat else _fill)

    @property
    def argument(self) -> str:
        """``slices`` or nothing."""
        return "slices" if self.slices else ""

    @classmethod
    def parse(cls, argument: str, classes: tuple[str, ...]) -> Self:
        """Read ``"slices"`` or nothing."""
        if argument not in ("", "slices"):
            raise SettingsError(f"fill-holes:{argument} is unknown; write fill-holes or fill-holes:slices.")
        return cls(classes, argument == "slices")


def _drop(view: Mask, pieces: Pieces, dropped: Bools) -> Iterator[float]:
    dropped = dropped.copy()
    # Number 0 is what belongs to no piece.
    dropped[0] = False
    for rows, number in pieces.numbered():
        view[rows][dropped[number]] = 0
        yield 0.5 + 0.5 * rows.stop / len(view)


def _fill(view: Mask, value: int) -> Iterator[float]:
    outside = Pieces(view != value, corners=True)
    yield from (share / 2 for share in outside.find())
    hole = ~outside.at_border
    hole[0] = False
    for rows, number in outside.numbered():
        part = view[rows]
        # A hole that holds another class is not background, so it stays.
        part[hole[number] & (part == 0)] = value
        yield 0.5 + 0.5 * rows.stop / len(view)


def _fill_slices(view: Mask, value: int) -> Iterator[float]:
    for index, plane in enumerate(view):
        if np.any(plane == value):
            for _ in _fill(plane, value):
                pass
        yield (index + 1) / len(view)
