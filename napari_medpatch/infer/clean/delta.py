"""What changed between two masks, kept small, so that it can be undone and redone exactly."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.clean.work import Mask, slabs

_LEVEL = 1
_RAW = np.uint8


@dataclass(frozen=True, slots=True)
class _Part:
    """The changed voxels of one box: which, what they were, and what they became."""

    box: tuple[slice, ...]
    count: int
    where: bytes
    old: bytes
    new: bytes

    def mask(self) -> npt.NDArray[np.bool_]:
        """Return which voxels of the box changed."""
        shape = tuple(side.stop - side.start for side in self.box)
        bits = np.unpackbits(np.frombuffer(zlib.decompress(self.where), np.uint8), count=math.prod(shape))
        return bits.reshape(shape).astype(bool)


@dataclass(frozen=True, slots=True)
class MaskDelta:
    """The difference of two masks of one shape.

    Parameters
    ----------
    parts : tuple
        Compressed, one per slab that changed.
    """

    parts: tuple[_Part, ...] = ()

    @classmethod
    def between(cls, before: Mask, after: Mask) -> "MaskDelta":
        """Return what changed.

        Parameters
        ----------
        before, after : ndarray
            ``(*spatial)`` uint8.
        """
        parts = (_part(before[rows], after[rows], rows) for rows in slabs(before.shape))
        return cls(tuple(part for part in parts if part is not None))

    @property
    def voxels(self) -> int:
        """How many changed."""
        return sum(part.count for part in self.parts)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return sum(len(part.where) + len(part.old) + len(part.new) for part in self.parts)

    @property
    def box(self) -> tuple[slice, ...] | None:
        """The smallest box of slabs' boxes that holds all changes, None without one."""
        if not self.parts:
            return None
        axes = range(len(self.parts[0].box))
        return tuple(
            slice(min(part.box[a].start for part in self.parts), max(part.box[a].stop for part in self.parts))
            for a in axes
        )

    def undo(self, mask: npt.NDArray[np.generic]) -> int:
        """Bring changed voxels back; those that someone changed since stay.

        Parameters
        ----------
        mask : ndarray
            Any integer type; in place.

        Returns
        -------
        int
            How many stayed.
        """
        return sum(_replace(mask[part.box], part, part.new, part.old) for part in self.parts)

    def redo(self, mask: npt.NDArray[np.generic]) -> int:
        """Change the voxels (again); those that do not hold the old value stay. Returns how many stayed."""
        return sum(_replace(mask[part.box], part, part.old, part.new) for part in self.parts)

    def paint_old(self, mask: npt.NDArray[np.uint8]) -> None:
        """Write what the changed voxels were, whatever they hold; in place."""
        for part in self.parts:
            mask[part.box][part.mask()] = np.frombuffer(zlib.decompress(part.old), _RAW)

    def paint_new(self, mask: npt.NDArray[np.uint8]) -> None:
        """Write what the changed voxels became, whatever they hold; in place."""
        for part in self.parts:
            mask[part.box][part.mask()] = np.frombuffer(zlib.decompress(part.new), _RAW)


def _part(before: Mask, after: Mask, rows: slice) -> _Part | None:
    different = before != after
    box = bounds(different)
    if box is None:
        return None
    where = different[box]
    moved = (slice(rows.start + box[0].start, rows.start + box[0].stop), *box[1:])
    return _Part(
        moved,
        int(np.count_nonzero(where)),
        zlib.compress(np.packbits(where).tobytes(), _LEVEL),
        zlib.compress(before[box][where].tobytes(), _LEVEL),
        zlib.compress(after[box][where].tobytes(), _LEVEL),
    )


def _replace(view: npt.NDArray[np.generic], part: _Part, wanted: bytes, put: bytes) -> int:
    """Replace voxels that hold what is wanted; returns how many do not."""
    where = part.mask()
    current = view[where]
    untouched = current == np.frombuffer(zlib.decompress(wanted), _RAW)
    fresh = np.frombuffer(zlib.decompress(put), _RAW).astype(view.dtype)
    view[where] = np.where(untouched, fresh, current)
    return int(np.count_nonzero(~untouched))


def bounds(inside: npt.NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """Return the bounding box of what is True, None if nothing is."""
    axes: Sequence[int] = range(inside.ndim)
    found = [np.flatnonzero(inside.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
    if not len(found[0]):
        return None
    return tuple(slice(int(line[0]), int(line[-1]) + 1) for line in found)
