"""Steps that grow, shrink, close or open classes by a ball in mm."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.clean.amount import Length
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.infer.clean.work import SLAB_VOXELS, Bools, Mask, Work, slabs

Filter = Callable[[Bools], Bools]
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class BallStep(CleanStep):
    """A step with a ball; a voxel counts as inside if its centre is.

    Parameters
    ----------
    radius : Length
        Of the ball.
    """

    radius: Length = field(default_factory=lambda: Length(2.0))

    example: ClassVar[str] = "2mm"

    def check(self, work: Work) -> None:
        """Also raise if the unit does not fit."""
        CleanStep.check(self, work)
        self.radius.on_grid(work.place.voxel, work.place.unit)

    @property
    def argument(self) -> str:
        """The radius."""
        return str(self.radius)

    @classmethod
    def parse(cls, argument: str, classes: tuple[str, ...]) -> Self:
        """Read ``"2mm"``."""
        return cls(classes, Length.parse(argument))


@dataclass(frozen=True, slots=True)
class Close(BallStep):
    """Fill dents and gaps that the ball does not fit into; other classes stay as they are."""

    keyword: ClassVar[str] = "close"
    title: ClassVar[str] = "Close gaps"
    tip: ClassVar[str] = "Fill dents, gaps and vessels thinner than a ball of this radius, for example 3mm."

    def apply(self, work: Work) -> Iterator[float]:
        """Close each class by itself, in order."""
        ball = _Ball.on(self.radius, work)

        def treat(mask: Mask, value: int, box: tuple[slice, ...]) -> Iterator[float]:
            view = mask[_grown(box, ball.reach, mask.shape)]
            for rows, inside in ball.filtered(view == value, ball.closed, 2):
                part = view[rows]
                part[inside & (part == 0)] = value
                yield rows.stop / len(view)

        return _each_class(work, self.classes, treat)


@dataclass(frozen=True, slots=True)
class Open(BallStep):
    """Remove spurs and bridges that the ball does not fit into."""

    keyword: ClassVar[str] = "open"
    title: ClassVar[str] = "Open bridges"
    tip: ClassVar[str] = "Remove spurs, bridges and leaks thinner than a ball of this radius, for example 2mm."

    def apply(self, work: Work) -> Iterator[float]:
        """Open each class by itself."""
        ball = _Ball.on(self.radius, work)
        return _each_class(work, self.classes, _keeping(ball, ball.opened, 2))


@dataclass(frozen=True, slots=True)
class Shrink(BallStep):
    """Take a rind off each class; the edge of the scan is no border."""

    keyword: ClassVar[str] = "shrink"
    title: ClassVar[str] = "Shrink"
    tip: ClassVar[str] = "Move the border of each class inwards by this distance, for example 1mm."

    def apply(self, work: Work) -> Iterator[float]:
        """Shrink each class by itself."""
        ball = _Ball.on(self.radius, work)
        return _each_class(work, self.classes, _keeping(ball, ball.eroded, 1))


@dataclass(frozen=True, slots=True)
class Grow(BallStep):
    """Let classes grow into the background; where several meet, the nearest wins."""

    keyword: ClassVar[str] = "grow"
    title: ClassVar[str] = "Grow"
    tip: ClassVar[str] = "Move the border of each class outwards by this distance, into background only; 1mm."

    def apply(self, work: Work) -> Iterator[float]:
        """Grow all classes at once."""
        ball = _Ball.on(self.radius, work)
        values = work.values_of(self.classes)
        boxes = work.boxes(values)
        if not boxes:
            return
        around = tuple(
            slice(min(box[axis].start for box in boxes.values()), max(box[axis].stop for box in boxes.values()))
            for axis in range(work.mask.ndim)
        )
        view = work.mask[_grown(around, ball.reach, work.mask.shape)]
        chosen = np.zeros(256, bool)
        chosen[values] = True
        before = view.copy()
        for rows, context in ball.slabs(view.shape, 1):
            grown = _nearest(before[context], chosen, ball)[rows.start - context.start :][: rows.stop - rows.start]
            part = view[rows]
            part[part == 0] = grown[part == 0]
            yield rows.stop / len(view)


@dataclass(frozen=True, slots=True)
class _Ball:
    """A ball on a grid: filters by exact Euclidean distance."""

    radius: float
    voxel: tuple[float, ...]

    @classmethod
    def on(cls, radius: Length, work: Work) -> "_Ball":
        return cls(*radius.on_grid(work.place.voxel, work.place.unit))

    @property
    def reach(self) -> tuple[int, ...]:
        """Voxels that the ball reaches along each axis."""
        return tuple(math.floor(self.radius / edge + _TOLERANCE) for edge in self.voxel)

    def near(self, inside: Bools) -> Bools:
        """Return what lies within a radius of a shape."""
        from scipy.ndimage import distance_transform_edt

        # Without any voxel to measure to, SciPy measures to one that does not exist.
        if not inside.any():
            return np.zeros(inside.shape, bool)
        return np.asarray(distance_transform_edt(~inside, sampling=self.voxel) <= self.radius + _TOLERANCE)

    def eroded(self, inside: Bools) -> Bools:
        """Return what lies further than a radius from all that is outside; beyond the array nothing is outside."""
        return ~self.near(~inside)

    def opened(self, inside: Bools) -> Bools:
        """Return all positions of a ball that fits inside."""
        return self.near(self.eroded(inside)) & inside

    def closed(self, inside: Bools) -> Bools:
        """Return all that no ball beside the shape covers; beyond the array everything is beside it."""
        room = [(far, far) for far in self.reach]
        closed = self.eroded(self.near(np.pad(inside, room)))
        return closed[tuple(slice(far, far + size) for far, size in zip(self.reach, inside.shape, strict=True))]

    def slabs(self, shape: Sequence[int], passes: int) -> Iterator[tuple[slice, slice]]:
        """Yield slabs along the first axis, and each with the context that makes its filtering exact."""
        far = passes * (self.reach[0] + 1)
        plane = max(1, math.prod(shape[1:]))
        for rows in slabs(shape, max(SLAB_VOXELS, 2 * far * plane)):
            yield rows, slice(max(0, rows.start - far), min(shape[0], rows.stop + far))

    def filtered(self, inside: Bools, filtering: Filter, passes: int) -> Iterator[tuple[slice, Bools]]:
        """Filter slab by slab; equals filtering the whole."""
        for rows, context in self.slabs(inside.shape, passes):
            result = filtering(inside[context])
            yield rows, result[rows.start - context.start :][: rows.stop - rows.start]


def _each_class(
    work: Work, classes: Sequence[str], treat: Callable[[Mask, int, tuple[slice, ...]], Iterator[float]]
) -> Iterator[float]:
    boxes = work.boxes(work.values_of(classes))
    for index, (value, box) in enumerate(boxes.items()):
        for share in treat(work.mask, value, box):
            yield (index + share) / len(boxes)


def _keeping(ball: _Ball, filtering: Filter, passes: int) -> Callable[[Mask, int, tuple[slice, ...]], Iterator[float]]:
    """Return a treatment that keeps of a class what a filter keeps."""

    def treat(mask: Mask, value: int, box: tuple[slice, ...]) -> Iterator[float]:
        # One voxel of surroundings says where the class ends and the scan goes on.
        view = mask[_grown(box, (1,) * mask.ndim, mask.shape)]
        for rows, inside in ball.filtered(view == value, filtering, passes):
            part = view[rows]
            part[(part == value) & ~inside] = 0
            yield rows.stop / len(view)

    return treat


def _nearest(part: Mask, chosen: Bools, ball: _Ball) -> Mask:
    """Return the class of the nearest chosen voxel within the radius, 0 beyond it."""
    from scipy.ndimage import distance_transform_edt

    inside = chosen[part]
    if not inside.any():
        return np.zeros_like(part)
    found: tuple[npt.NDArray[np.float64], npt.NDArray[Any]] = distance_transform_edt(
        ~inside, sampling=ball.voxel, return_indices=True
    )
    distance, nearest = found
    result: Mask = part[tuple(nearest)]
    result[distance > ball.radius + _TOLERANCE] = 0
    return result


def _grown(box: tuple[slice, ...], reach: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(max(0, part.start - far), min(size, part.stop + far))
        for part, far, size in zip(box, reach, shape, strict=True)
    )
