"""Smooth the borders of all classes together, so that none leaves gaps or overlaps another."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.clean.amount import Length
from napari_medpatch.infer.clean.reach import check_reach
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.infer.clean.work import Mask, Work, around, slabs

MOST_VOXELS = 64  # a Gaussian reaches four times as far
_TRUNCATE = 4.0
_VOXELS = 4_000_000


@dataclass(frozen=True, slots=True)
class Smooth(CleanStep):
    """Blur each class with a Gaussian and give each voxel to the class, or background, that has most of it.

    The Gaussian is as wide in mm along every axis. Classes that are not treated keep their voxels. Objects thinner
    than about the Gaussian's width vanish.

    Parameters
    ----------
    sigma : Length
        Standard deviation of the Gaussian.
    """

    sigma: Length = field(default_factory=lambda: Length(1.0))

    keyword: ClassVar[str] = "smooth"
    title: ClassVar[str] = "Smooth"
    tip: ClassVar[str] = "Smooth borders by a Gaussian of this standard deviation, for example 1.5mm."
    example: ClassVar[str] = "1mm"

    def apply(self, work: Work) -> Iterator[float]:
        """Smooth slab by slab."""
        value, voxel = self.sigma.on_grid(work.place.voxel, work.place.unit)
        sigmas = [value / edge for edge in voxel]
        values = work.values_of(self.classes)
        boxes = work.boxes(values)
        if not boxes:
            return
        reach = [math.ceil(_TRUNCATE * sigma) for sigma in sigmas]
        view = work.mask[around(list(boxes.values()), reach, work.mask.shape)]
        before = view.copy()
        ours = np.zeros(256, bool)
        ours[[0, *values]] = True
        for rows in slabs(view.shape, _VOXELS):
            context = slice(max(0, rows.start - reach[0]), rows.stop + reach[0])
            smoothed = _smoothed(before[context], values, sigmas)
            inner = smoothed[rows.start - context.start :][: rows.stop - rows.start]
            part = view[rows]
            free = ours[part]
            part[free] = inner[free]
            yield rows.stop / len(view)

    def fits(self, work: Work) -> None:
        """Raise if the unit does not fit, or the Gaussian is too wide to be meant."""
        check_reach(self.keyword, self.sigma, work.place, MOST_VOXELS)

    @property
    def argument(self) -> str:
        """The standard deviation."""
        return str(self.sigma)

    @classmethod
    def parse(cls, argument: str, classes: tuple[str, ...]) -> Self:
        """Read ``"1.5mm"``."""
        return cls(classes, Length.parse(argument))


def _smoothed(part: Mask, values: Sequence[int], sigmas: Sequence[float]) -> Mask:
    """Return the winner among the classes and the background, each blurred."""
    from scipy.ndimage import gaussian_filter

    def share(value: int) -> npt.NDArray[np.float32]:
        inside = (part == value).astype(np.float32)
        # The border is repeated, so that an object cut by the edge of the scan does not shrink there.
        return np.asarray(gaussian_filter(inside, sigmas, mode="nearest", truncate=_TRUNCATE))

    best, winner = share(0), np.zeros(part.shape, np.uint8)
    present = np.bincount(part.ravel(), minlength=max(values) + 1) > 0
    for value in values:
        if present[value]:
            own = share(value)
            # A tie goes to who has the voxel, or a symmetric border would wander.
            wins = (own > best) | ((own == best) & (part == value))
            best[wins], winner[wins] = own[wins], value
    return winner
