"""A mask while it is being cleaned, and what its grid means."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import SettingsError
from napari_medpatch.geometry import Box, split_axis

if TYPE_CHECKING:
    from napari_medpatch.io.source import AnyArray, Source

Mask = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
SLAB_VOXELS = 2_000_000
"""Voxels treated at a time: what bounds memory, and a fraction of a second of most filters."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mask lies.

    Parameters
    ----------
    voxel : tuple of float
        Edges of a voxel along each axis.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``.
    read : callable, optional
        ``read(box)`` returns the image's values there, for steps that look at the scan.
    shape : tuple of int
        Of the mask; empty if nobody knows it yet.
    """

    voxel: tuple[float, ...]
    unit: str
    read: "Callable[[Box], AnyArray] | None" = None
    shape: tuple[int, ...] = ()

    @classmethod
    def on(cls, source: "Source", shape: Sequence[int]) -> "Place":
        """Return the place of a mask of ``shape`` that covers a source; slides may have coarser masks."""
        full = source.levels[0].shape
        same = tuple(full) == tuple(shape)
        steps = [n / m for n, m in zip(full, shape, strict=True)]
        read = (lambda box: source.read(0, box)) if same and source.kind == "volume" else None
        if source.spacing is None:
            return cls((1.0,) * len(steps), "px", read, tuple(shape))
        voxel = tuple(v * s for v, s in zip(source.spacing.values, steps, strict=True))
        return cls(voxel, source.spacing.unit, read, tuple(shape))

    @property
    def voxel_ml(self) -> float | None:
        """Volume of a voxel in ml, None for pictures and where nobody knows."""
        return math.prod(self.voxel) / 1000 if self.unit == "mm" and len(self.voxel) == 3 else None


@dataclass(slots=True)
class Work:
    """A mask that steps change in place.

    Parameters
    ----------
    mask : ndarray
        ``(*spatial)`` uint8, 0 background, 1… classes; the job's own copy.
    names : list of str
        Classes in order; there is a name for every value that occurs.
    place : Place
        Of the mask.
    notes : list of str
        What a step has to tell the user.
    """

    mask: Mask
    names: list[str]
    place: Place
    notes: list[str] = field(default_factory=list)

    def values_of(self, classes: Sequence[str]) -> list[int]:
        """Return the mask values of classes, of all when none is named.

        Raises
        ------
        SettingsError
            If there is no such class.
        """
        if strangers := [name for name in classes if name not in self.names]:
            known = ", ".join(self.names) or "no classes"
            raise SettingsError(f"The clean-up names the class {strangers[0]!r}, but the mask has {known}.")
        return [value for value, name in enumerate(self.names, start=1) if not classes or name in classes]

    def boxes(self, values: Sequence[int]) -> dict[int, tuple[slice, ...]]:
        """Return the bounding box of each of the values that occurs."""
        from scipy.ndimage import find_objects

        found = find_objects(self.mask, max_label=max(values, default=0))
        return {value: found[value - 1] for value in values if found[value - 1] is not None}

    def by_class(
        self, classes: Sequence[str], treat: Callable[[Mask, int], Iterator[float]], reach: Sequence[int] = ()
    ) -> Iterator[float]:
        """Treat each class in its bounding box and yield the share done.

        Parameters
        ----------
        classes : sequence of str
            Which; all by default.
        treat : callable
            ``treat(view, value)`` changes the part of the mask in place and yields its own share.
        reach : sequence of int, optional
            Voxels around the box that ``treat`` sees too, along each axis.
        """
        boxes = self.boxes(self.values_of(classes))
        for index, (value, box) in enumerate(boxes.items()):
            for share in treat(self.mask[around([box], reach, self.mask.shape) if reach else box], value):
                yield (index + share) / len(boxes)


def around(boxes: Sequence[tuple[slice, ...]], reach: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the box around boxes with its surroundings, as far as the mask goes."""
    result = []
    for axis, (far, size) in enumerate(zip(reach, shape, strict=True)):
        start, stop = min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes)
        result.append(slice(max(0, start - far), min(size, stop + far)))
    return tuple(result)


def named(names: Sequence[str], mask: Mask) -> list[str]:
    """Return class names for every value of a mask; those without are called ``class 3``."""
    highest = int(mask.max(initial=0))
    return [*names, *(f"class {value}" for value in range(len(names) + 1, highest + 1))]


def slabs(shape: Sequence[int], voxels: int = SLAB_VOXELS) -> Iterator[slice]:
    """Cut an array along its first axis into slabs of about ``voxels``."""
    rows = max(1, voxels // max(1, math.prod(shape[1:])))
    return (slice(start, stop) for start, stop in split_axis(shape[0], rows))
