"""Turn the values a NIfTI file stores into the array that the rest of the package works on.

The rule: whole numbers that fit go to int16; so do the values of a CT in HU, rounded, because a fraction
of a HU is noise; everything else becomes float32. Values that are not finite become the smallest finite one.
"""

from dataclasses import dataclass
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
    """

    low: float
    high: float
    bad: int
    whole: bool
    air: float

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


def survey(blocks: Any) -> ValueFacts:
    """Look at all values once.

    Parameters
    ----------
    blocks : iterable of ndarray
        Pieces of the volume, scaled.

    Returns
    -------
    ValueFacts
        ``low`` and ``high`` are ±inf if no value is finite.
    """
    low, high, bad, air, count, whole = np.inf, -np.inf, 0, 0, 0, True
    for block in blocks:
        values = block
        if block.dtype.kind == "f":
            finite = np.isfinite(block)
            if not finite.all():
                values = block[finite]
                bad += block.size - values.size
            whole = whole and bool(np.array_equal(values, np.rint(values)))
        count += block.size
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            air += int(np.count_nonzero(values < AIR_BELOW))
    return ValueFacts(low, high, bad, whole, air / max(count, 1))


def read_volume(file: NiftiFile, orientation: Orientation, volume: int = 0) -> tuple[AnyArray, ValueFacts]:
    """Read one volume in our axes.

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
    shape = orientation.canonical_shape(file.grid_shape)
    if _stored_fits(file):
        result = np.empty(shape, dtype=np.int16)
        on_file_grid = orientation.to_file(result)
        for where, block in file.slabs(volume):
            on_file_grid[..., where] = block
        return result, survey(result)
    facts = survey(file.scaled(block) for _, block in file.slabs(volume))
    if not np.isfinite(facts.low):
        raise UnsupportedFormatError(f"{file.path} holds no finite value (all voxels are NaN or infinite).")
    result = np.empty(shape, dtype=facts.dtype)
    on_file_grid = orientation.to_file(result)
    for where, block in file.slabs(volume):
        on_file_grid[..., where] = convert(file.scaled(block), facts)
    return result, facts


def convert(values: AnyArray, facts: ValueFacts) -> AnyArray:
    """Apply the rule of this module to values whose survey is known."""
    if facts.bad:
        values = np.where(np.isfinite(values), values, facts.low)
    if facts.dtype.kind == "i" and values.dtype.kind == "f":
        values = np.rint(values)
    return values.astype(facts.dtype)


def _stored_fits(file: NiftiFile) -> bool:
    """Whether the stored numbers are whole, fit int16 and are the values: one pass is enough then."""
    return np.can_cast(file.dtype, np.int16) and (file.slope, file.inter) == (1.0, 0.0)
