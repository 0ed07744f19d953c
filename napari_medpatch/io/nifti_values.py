"""Turn the values a NIfTI file stores into the array that the rest of the package works on.

The rule: whole numbers that fit go to int16; so do the values of a CT in HU, rounded, because a fraction
of a HU is noise; everything else becomes float32. Values that are not finite become the smallest finite one.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.hu import AIR_BELOW
from napari_medpatch.io.nifti_file import NiftiFile
from napari_medpatch.io.orientation import Orientation
from napari_medpatch.io.source import AnyArray

AIR_FRACTION = 0.001
_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True, slots=True)
class ValueFacts:
    """What a pass over the values found.

    Parameters
    ----------
    low, high : float
        Smallest and largest finite value.
    bad : int
        Number of values that are not finite.
    whole : bool
        Whether all finite values are whole numbers.
    air : float
        Share of values below −500.
    count : int
        Number of values looked at.
    """

    low: float
    high: float
    bad: int
    whole: bool
    air: float
    count: int

    @property
    def fits_int16(self) -> bool:
        """Whether int16 can hold the range."""
        return self.low >= _INT16.min and self.high <= _INT16.max

    @property
    def is_ct(self) -> bool:
        """Whether this looks like HU: enough air, nothing far beyond what scanners give."""
        return self.air >= AIR_FRACTION and self.fits_int16

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the array to make."""
        small = self.fits_int16 and (self.whole or self.is_ct)
        return np.dtype(np.int16 if small else np.float32)


Reading = Generator[int, None, tuple[AnyArray, ValueFacts]]
"""Yields the number of slices read so far; returns the array and what was found in it."""


def merged(parts: Sequence[ValueFacts]) -> ValueFacts:
    """Return the facts of pieces of a volume together."""
    count = sum(part.count for part in parts)
    return ValueFacts(
        low=min(part.low for part in parts),
        high=max(part.high for part in parts),
        bad=sum(part.bad for part in parts),
        whole=all(part.whole for part in parts),
        air=sum(part.air * part.count for part in parts) / count,
        count=count,
    )


def survey(block: AnyArray) -> ValueFacts:
    """Look at the values of a volume, or of a piece of it, scaled.

    Returns
    -------
    ValueFacts
        ``low`` and ``high`` are ±inf if no value is finite.
    """
    bad, whole, values = 0, True, block
    if block.dtype.kind == "f":
        finite = np.isfinite(block)
        if not finite.all():
            values = block[finite]
            bad = block.size - values.size
        whole = bool(np.array_equal(values, np.rint(values)))
    low, high = (float(values.min()), float(values.max())) if values.size else (np.inf, -np.inf)
    air = int(np.count_nonzero(values < AIR_BELOW))
    return ValueFacts(low, high, bad, whole, air / max(block.size, 1), block.size)


def read_volume(file: NiftiFile, orientation: Orientation, volume: int = 0) -> Reading:
    """Read one volume in our axes; yields the number of slices of the file read so far.

    Parameters
    ----------
    file : NiftiFile
        Where from.
    orientation : Orientation
        From the file's grid to ours.
    volume : int
        Which volume of a 4D file.

    Returns
    -------
    array : ndarray
        ``(Z, Y, X)``, int16 or float32, C-contiguous.
    facts : ValueFacts
        Of the values as stored and scaled.

    Raises
    ------
    DamagedFileError
        If the file ends early.
    UnsupportedFormatError
        If no voxel has a finite value.
    """

    def blocks() -> Iterator[tuple[slice, AnyArray]]:
        return ((where, file.scaled(block)) for where, block in file.slabs(volume))

    return read_blocks(blocks, file.grid_shape, orientation, file.path)


def read_blocks(
    blocks: Callable[[], Iterator[tuple[slice, AnyArray]]],
    shape: tuple[int, int, int],
    orientation: Orientation,
    path: Path,
) -> Reading:
    """Read a volume from its pieces; yields the number of slices read so far.

    Parameters
    ----------
    blocks : callable
        Yields the volume in pieces: a range along the last axis, and ``(i, j, k)`` values, scaled. Called again
        when the values turn out not to fit int16: most volumes fit and then need no second pass, which may mean
        unpacking gzip again.
    shape : tuple of int
        ``(i, j, k)``.
    orientation : Orientation
        From the file's grid to ours.
    path : Path
        For the sentence.

    Returns
    -------
    array, facts
        As :func:`read_volume`.

    Raises
    ------
    UnsupportedFormatError
        If no voxel has a finite value.
    """
    result = np.empty(orientation.canonical_shape(shape), dtype=np.int16)
    on_file_grid, found = orientation.to_file(result), []
    for where, values in blocks():
        found.append(survey(values))
        if found[-1].fits_int16 and not found[-1].bad:
            on_file_grid[..., where] = values if values.dtype.kind != "f" else np.rint(values)
        yield where.stop
    facts = merged(found)
    if not np.isfinite(facts.low):
        raise UnsupportedFormatError(f"{path} holds no finite value (all voxels are NaN or infinite).")
    if facts.dtype == np.int16 and not facts.bad:
        return result, facts
    del result, on_file_grid  # before the successor, which may be twice as large, is made
    final = np.empty(orientation.canonical_shape(shape), dtype=facts.dtype)
    on_file_grid = orientation.to_file(final)
    for where, values in blocks():
        on_file_grid[..., where] = convert(values, facts)
        yield where.stop
    return final, facts


def value_notes(facts: ValueFacts) -> list[str]:
    """Return what was changed on reading, in sentences."""
    notes = []
    if facts.bad:
        what = "voxel that was not a number was" if facts.bad == 1 else "voxels that were not numbers were"
        notes.append(f"{facts.bad} {what} set to the smallest value, {facts.low:g}.")
    if facts.dtype.kind == "i" and not facts.whole:
        notes.append("Values were rounded to whole HU.")
    return notes


def convert(values: AnyArray, facts: ValueFacts) -> AnyArray:
    """Apply the rule of this module to values whose survey is known."""
    if facts.bad:
        values = np.where(np.isfinite(values), values, facts.low)
    if facts.dtype.kind == "i" and values.dtype.kind == "f":
        values = np.rint(values)
    return values.astype(facts.dtype)
