"""Steps that grow, shrink, close or open classes by a ball in mm."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Self

from napari_medpatch.infer.clean.amount import Length
from napari_medpatch.infer.clean.ball import Ball, Filter
from napari_medpatch.infer.clean.reach import check_reach
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.infer.clean.work import Bools, Mask, Work, around

MOST_VOXELS = 128  # the work grows with the square of the radius


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

    def fits(self, work: Work) -> None:
        """Raise if the unit does not fit, or the ball is too large to be meant."""
        check_reach(self.keyword, self.radius, work.place, MOST_VOXELS)

    def _ball(self, work: Work) -> Ball:
        return Ball(*self.radius.on_grid(work.place.voxel, work.place.unit))

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
        ball = self._ball(work)
        return work.by_class(self.classes, _filtering(ball, ball.closed, 2, _fill), ball.reach)


@dataclass(frozen=True, slots=True)
class Open(BallStep):
    """Remove spurs and bridges that the ball does not fit into."""

    keyword: ClassVar[str] = "open"
    title: ClassVar[str] = "Open bridges"
    tip: ClassVar[str] = "Remove spurs, bridges and leaks thinner than a ball of this radius, for example 2mm."

    def apply(self, work: Work) -> Iterator[float]:
        """Open each class by itself."""
        ball = self._ball(work)
        # One voxel of surroundings says where the class ends and the scan goes on.
        return work.by_class(self.classes, _filtering(ball, ball.opened, 2, _keep), (1,) * work.mask.ndim)


@dataclass(frozen=True, slots=True)
class Shrink(BallStep):
    """Take a rind off each class; the edge of the scan is no border."""

    keyword: ClassVar[str] = "shrink"
    title: ClassVar[str] = "Shrink"
    tip: ClassVar[str] = "Move the border of each class inwards by this distance, for example 1mm."

    def apply(self, work: Work) -> Iterator[float]:
        """Shrink each class by itself."""
        ball = self._ball(work)
        return work.by_class(self.classes, _filtering(ball, ball.eroded, 1, _keep), (1,) * work.mask.ndim)


@dataclass(frozen=True, slots=True)
class Grow(BallStep):
    """Let classes grow into the background; where several meet, the nearest wins."""

    keyword: ClassVar[str] = "grow"
    title: ClassVar[str] = "Grow"
    tip: ClassVar[str] = "Move the border of each class outwards by this distance, into background only; 1mm."

    def apply(self, work: Work) -> Iterator[float]:
        """Grow all classes at once."""
        ball = self._ball(work)
        values = work.values_of(self.classes)
        boxes = work.boxes(values)
        if not boxes:
            return
        view = work.mask[around(list(boxes.values()), ball.reach, work.mask.shape)]
        before = view.copy()
        for rows, context in ball.slabs(view.shape, 1):
            grown = ball.nearest(before[context], values)[rows.start - context.start :][: rows.stop - rows.start]
            part = view[rows]
            part[part == 0] = grown[part == 0]
            yield rows.stop / len(view)


def _filtering(
    ball: Ball, filtering: Filter, passes: int, change: Callable[[Mask, Bools, int], None]
) -> Callable[[Mask, int], Iterator[float]]:
    """Return a treatment that changes a class by what a filter leaves of it."""

    def treat(view: Mask, value: int) -> Iterator[float]:
        for rows, inside in ball.filtered(view == value, filtering, passes):
            change(view[rows], inside, value)
            yield rows.stop / len(view)

    return treat


def _fill(part: Mask, inside: Bools, value: int) -> None:
    part[inside & (part == 0)] = value


def _keep(part: Mask, inside: Bools, value: int) -> None:
    part[(part == value) & ~inside] = 0
