"""The values of DICOM slices: decoded by pydicom's plug-ins, scaled slice by slice."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import DamagedFileError, MedPatchError, UnsupportedFormatError
from napari_medpatch.io.dicom_slice import DicomSlice
from napari_medpatch.io.reading import damaged, reading
from napari_medpatch.io.source import AnyArray

_DARK_HU = -900.0
"""Padding below this looks like the air around a patient and keeps the value that other programs show."""


def read_values(path: Path, slices: Sequence[DicomSlice]) -> Iterator[tuple[DicomSlice, AnyArray]]:
    """Yield the values of slices of one file.

    Parameters
    ----------
    path : Path
        The file.
    slices : sequence of DicomSlice
        Of this file.

    Yields
    ------
    slice : DicomSlice
        In order of frames.
    values : ndarray
        ``(rows, columns)``, with slope and intercept or modality table applied: integers if these are whole,
        else float64.

    Raises
    ------
    DamagedFileError
        If the file is truncated or cannot be decoded.
    UnsupportedFormatError
        If nothing here decodes its compression.
    """
    for one, stored in _decoded(path, sorted(slices, key=lambda s: s.frame or 0)):
        if stored.shape != (one.rows, one.columns):
            raise DamagedFileError(damaged(path, f"its pixels have the shape {stored.shape}"))
        yield one, _scaled(one, stored)


def same_values(one: DicomSlice, other: DicomSlice) -> bool:
    """Return whether two slices hold the same values."""
    (_, a), (_, b) = next(read_values(one.path, [one])), next(read_values(other.path, [other]))
    return bool(np.array_equal(a, b))


def _decoded(path: Path, slices: Sequence[DicomSlice]) -> Iterator[tuple[DicomSlice, AnyArray]]:
    from pydicom.pixels import iter_pixels, pixel_array

    try:
        with reading(path):
            source = path if slices[0].file.transfer_syntax else _headless(path)
            if slices[0].frame is None:
                yield slices[0], pixel_array(source, raw=True)
                return
            frames = iter_pixels(source, raw=True, indices=[one.frame or 0 for one in slices])
            yield from zip(slices, frames, strict=True)
    except MedPatchError:
        raise
    except Exception as error:
        # Each decoder raises errors of its own kind; all of them mean that this file cannot be read.
        raise _undecodable(path, slices[0].file.transfer_syntax, error) from error


def _headless(path: Path) -> Any:
    """Read a file without a header of its own, whose encoding pydicom found by trying."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    dataset: Any = pydicom.dcmread(path, force=True)
    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _undecodable(path: Path, syntax: str, error: Exception) -> MedPatchError:
    from pydicom.config import IGNORE
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    uid = UID(syntax, IGNORE)
    name = uid.name or "unknown"
    try:
        available = not syntax or not uid.is_compressed or get_decoder(uid).is_available
    except (NotImplementedError, ValueError):
        available = False
    if not available:
        return UnsupportedFormatError(
            f"{path} is compressed as {name}, which no decoder here reads; save the series uncompressed, or install "
            "python-gdcm or pylibjpeg-libjpeg."
        )
    return DamagedFileError(damaged(path, f"its pixels cannot be read: {' '.join(str(error).split())[:120]}"))


def bright_padding(one: DicomSlice) -> float | None:
    """Return the HU that stand for "outside the field of view" if they look like tissue or bone, else None."""
    if one.file.padding is None or not one.file.is_ct or one.has_table:
        return None
    slope, intercept = _scale(one)
    value = one.file.padding[1] * slope + intercept
    return value if value > _DARK_HU else None


def _scaled(one: DicomSlice, stored: AnyArray) -> AnyArray:
    values = _through_table(one, stored) if one.has_table else _rescaled(one, stored)
    return values if bright_padding(one) is None else _darkened(one, stored, values)


def _scale(one: DicomSlice) -> tuple[float, float]:
    """Return slope and intercept; a slope of 0, which would erase the image, counts as absent."""
    return one.slope or 1.0, one.intercept or 0.0


def _rescaled(one: DicomSlice, stored: AnyArray) -> AnyArray:
    slope, intercept = _scale(one)
    if (slope, intercept) == (1.0, 0.0):
        return stored
    if slope.is_integer() and intercept.is_integer():
        return stored.astype(np.int64 if stored.dtype.itemsize > 2 else np.int32) * int(slope) + int(intercept)
    return stored * slope + intercept


def _through_table(one: DicomSlice, stored: AnyArray) -> AnyArray:
    import pydicom
    from pydicom.pixels import apply_modality_lut

    dataset = pydicom.dcmread(one.path, stop_before_pixels=True, force=True)
    values: AnyArray = apply_modality_lut(stored, dataset)
    return values


def _darkened(one: DicomSlice, stored: AnyArray, values: AnyArray) -> AnyArray:
    """Make padding as dark as the darkest voxel of the slice."""
    low, high = one.file.padding or (0, 0)
    padded = (stored >= low) & (stored <= high)
    if padded.all():
        return values
    return np.where(padded, values[~padded].min(), values)
