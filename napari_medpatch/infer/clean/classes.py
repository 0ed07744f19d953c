"""Steps that change which class a voxel belongs to: merging, and limits of HU."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import SettingsError
from napari_medpatch.geometry import Box
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.infer.clean.work import Work, slabs

_RANGE = re.compile(r"\s*(-?\d+\.?\d*)?\s*\.\.\s*(-?\d+\.?\d*)?\s*(?:HU)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Merge(CleanStep):
    """Make one class of several; the others' values close up.

    Parameters
    ----------
    into : str
        Name of the result, which takes the place of the first.
    """

    into: str = ""

    keyword: ClassVar[str] = "merge"
    title: ClassVar[str] = "Merge classes"
    tip: ClassVar[str] = "Make one class of several: lung=right lung,left lung. Without names after it, of all classes."
    example: ClassVar[str] = "all"

    def apply(self, work: Work) -> Iterator[float]:
        """Merge them."""
        values = work.values_of(self.classes)
        if not values:
            return
        first, others = values[0], set(values[1:])
        names, targets = [], [0]
        for value, name in enumerate(work.names, start=1):
            if value not in others:
                names.append(self.into if value == first else name)
            targets.append(len(names) if value not in others else 0)
        targets = [targets[first] if value in others else target for value, target in enumerate(targets)]
        work.names[:] = names
        yield from renumber(work, targets)

    def check(self, work: Work) -> None:
        """Also raise if another class has the new name."""
        CleanStep.check(self, work)
        kept = [name for value, name in enumerate(work.names, 1) if value not in work.values_of(self.classes)]
        if self.into in kept:
            raise SettingsError(f"Merging into {self.into!r} needs another name: a class that stays is called so.")

    @property
    def argument(self) -> str:
        """``into=a,b``."""
        return f"{self.into}={','.join(self.classes)}" if self.classes else self.into

    @classmethod
    def parse(cls, argument: str, classes: tuple[str, ...]) -> Self:
        """Read ``"lung=right lung,left lung"``, or ``"all"`` to make one class of everything."""
        into, _, rest = argument.partition("=")
        merged = tuple(name.strip() for name in rest.split(",") if name.strip()) or classes
        if not into.strip():
            raise SettingsError("merge needs a name: merge:lung=right lung,left lung.")
        return cls(merged, into.strip())

    def __str__(self) -> str:
        return f"{self.keyword}:{self.argument}"


@dataclass(frozen=True, slots=True)
class LimitHU(CleanStep):
    """Remove voxels whose value in the scan lies outside limits.

    Parameters
    ----------
    low, high : float or None
        HU, both included; None is no limit.
    """

    low: float | None = None
    high: float | None = None

    keyword: ClassVar[str] = "hu"
    title: ClassVar[str] = "Limit HU"
    tip: ClassVar[str] = "Keep voxels between two values of the scan, for example -1024..-300; either may be left out."
    example: ClassVar[str] = "-1024..-300"

    def apply(self, work: Work) -> Iterator[float]:
        """Remove them slab by slab."""
        read = work.place.read
        if read is None:
            raise SettingsError(_NO_SCAN)
        ours = np.zeros(256, bool)
        ours[work.values_of(self.classes)] = True
        for rows in slabs(work.mask.shape):
            part = work.mask[rows]
            inside = ours[part]
            if inside.any():
                start = (rows.start, *(0,) * (part.ndim - 1))
                values = read(Box(start, tuple(a + n for a, n in zip(start, part.shape, strict=True))))
                part[inside & ~self._within(values)] = 0
            yield rows.stop / len(work.mask)

    def fits(self, work: Work) -> None:
        """Raise if there is no scan to look at."""
        if work.place.read is None:
            raise SettingsError(_NO_SCAN)

    def _within(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return np.asarray((values >= low) & (values <= high))

    @property
    def argument(self) -> str:
        """``low..high``."""
        ends = ("" if end is None else f"{end:g}" for end in (self.low, self.high))
        return "..".join(ends)

    @classmethod
    def parse(cls, argument: str, classes: tuple[str, ...]) -> Self:
        """Read ``"-1024..-300"``, ``"..-300"`` or ``"-1024.."``."""
        found = _RANGE.fullmatch(argument)
        low, high = (None if end is None else float(end) for end in found.groups()) if found else (None, None)
        if (low is None and high is None) or (low is not None and high is not None and low > high):
            raise SettingsError(f"hu:{argument} is no range of HU; write hu:-1024..-300.")
        return cls(classes, low, high)


_NO_SCAN = "The clean-up hu looks at the scan, which is not at hand; give the CT volume that the mask belongs to."


def renumber(work: Work, targets: Sequence[int]) -> Iterator[float]:
    """Give each value of a mask another one; in place.

    Parameters
    ----------
    targets : sequence of int
        For values 0, 1, ….
    """
    table = np.arange(256, dtype=np.uint8)
    table[: len(targets)] = targets
    for rows in slabs(work.mask.shape):
        work.mask[rows] = table[work.mask[rows]]
        yield rows.stop / len(work.mask)
