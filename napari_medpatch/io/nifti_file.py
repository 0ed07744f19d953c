"""Read NIfTI files slab by slab, plain or gzipped, single or in pairs, told by their bytes and not their names.

nibabel parses the header; the values are read here, because the whole file in memory beside its converted
copy is more than a laptop has, and because a gzip checksum must be looked at.
"""

import gzip
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.nifti_header import (
    HEADER_BYTES,
    file_affine,
    file_shape,
    parse_header,
    scaling,
    unit_in_mm,
    value_type,
)
from napari_medpatch.io.orientation import Affine
from napari_medpatch.io.reading import damaged, reading
from napari_medpatch.io.source import AnyArray

_SLAB_VOXELS = 4 << 20


@dataclass(frozen=True, slots=True)
class NiftiFile:
    """A NIfTI file whose header has been checked.

    Parameters
    ----------
    path, data_path : Path
        File with the header and file with the values; the same for ``.nii``.
    header : nibabel header
        In native byte order.
    shape : tuple of int
        Three axes or more; no trailing axes of length 1.
    dtype : numpy dtype
        As stored, byte order included.
    offset : int
        First byte of the values.
    slope, inter : float
        Value = stored × slope + inter.
    affine : ndarray
        (4, 4), index to RAS+ world, in the file's unit.
    affine_origin : str
        Where it comes from.
    unit_mm : float
        Millimetres per unit of length.
    notes : tuple of str
        What the user should know of the header.
    """

    path: Path
    data_path: Path
    header: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float
    affine: Affine
    affine_origin: str
    unit_mm: float
    notes: tuple[str, ...]

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """Shape of one volume."""
        return self.shape[0], self.shape[1], self.shape[2]

    @property
    def volumes(self) -> int:
        """Number of volumes along the axes after the third."""
        return int(np.prod(self.shape[3:], dtype=np.int64))

    @property
    def has_position(self) -> bool:
        """Whether the file says how it lies in the world."""
        return int(self.header["sform_code"]) > 0 or int(self.header["qform_code"]) > 0

    @property
    def format(self) -> str:
        """``"NIfTI-1"`` or ``"NIfTI-2"``."""
        return "NIfTI-2" if int(self.header["sizeof_hdr"]) == 540 else "NIfTI-1"

    def slabs(self, volume: int = 0) -> Iterator[tuple[slice, AnyArray]]:
        """Yield the stored values of a volume, a few slices of its last axis at a time.

        Parameters
        ----------
        volume : int
            Which volume.

        Yields
        ------
        slice
            Range along the last axis of the grid.
        ndarray
            ``(i, j, k)`` as stored: not scaled, the file's byte order, read-only.

        Raises
        ------
        DamagedFileError
            If the file ends early or its gzip checksum is wrong.
        """
        i, j, k = self.grid_shape
        slice_bytes = i * j * self.dtype.itemsize
        step = max(1, _SLAB_VOXELS // (i * j))
        with reading(self.data_path), _open_plain(self.data_path) as stream:
            stream.seek(self.offset + volume * k * slice_bytes)
            for start in range(0, k, step):
                stop = min(start + step, k)
                values = self._read(stream, (stop - start) * slice_bytes, start)
                yield slice(start, stop), values.reshape((i, j, stop - start), order="F")
            if volume == self.volumes - 1:
                # Only a read past the end makes gzip compare its checksum.
                stream.read(1)

    def extensions(self) -> list[tuple[int, bytes]]:
        """Return code and content of the header's extensions; those of other programs may name patients."""
        begin = int(self.header["sizeof_hdr"])
        if self.offset <= begin + 4 or self.path != self.data_path:
            return []
        with reading(self.path), _open_plain(self.path) as stream:
            stream.seek(begin)
            block = stream.read(self.offset - begin)
        return list(_split_extensions(block)) if block[:1] == b"\1" else []

    def scaled(self, block: AnyArray) -> AnyArray:
        """Apply slope and intercept to stored values; without them the type stays as it is."""
        if (self.slope, self.inter) == (1.0, 0.0):
            return block
        return np.asarray(block, dtype=np.float64) * self.slope + self.inter

    def _read(self, stream: BinaryIO, count: int, start: int) -> AnyArray:
        block = stream.read(count)
        if len(block) != count:
            detail = f"it ends after slice {start} of {self.grid_shape[2]}"
            raise DamagedFileError(damaged(self.data_path, detail))
        return np.frombuffer(block, dtype=self.dtype)


def open_nifti(path: str | os.PathLike[str]) -> NiftiFile:
    """Read and check the header of a NIfTI file.

    Parameters
    ----------
    path : path-like
        ``.nii``, ``.nii.gz``, or either file of a ``.hdr``/``.img`` pair.

    Raises
    ------
    UnsupportedFormatError
        If it is no NIfTI volume of real numbers.
    DamagedFileError
        If it is empty or ends inside its header.
    GeometryError
        If its voxel size or affine is impossible.
    """
    given = _header_file(Path(path))
    with reading(given), _open_plain(given) as stream:
        block = stream.read(HEADER_BYTES)
    stored_order = "<" if block[:4] in (b"\x5c\x01\0\0", b"\x1c\x02\0\0") else ">"
    header = parse_header(block, given)
    shape, dtype = file_shape(header, given), value_type(header, given)
    slope, inter = scaling(header)
    affine, origin, notes = file_affine(header, given)
    unit, unit_note = unit_in_mm(header)
    return NiftiFile(
        path=given,
        data_path=_data_file(given, header),
        header=header,
        shape=shape,
        dtype=dtype.newbyteorder(stored_order),  # type: ignore[arg-type]
        offset=_offset(header),
        slope=slope,
        inter=inter,
        affine=affine,
        affine_origin=origin,
        unit_mm=unit,
        notes=(*notes, *([unit_note] if unit_note else [])),
    )


def _open_plain(path: Path) -> BinaryIO:
    """Open a file, through gzip if its first two bytes say so."""
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if zipped else path.open("rb")


def _split_extensions(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield extensions from the bytes between header and values: size, code, content; 4 flag bytes first."""
    place = 4
    while place + 8 <= len(block):
        fields = [struct.unpack(order + "ii", block[place : place + 8]) for order in "<>"]
        size, code = next(((n, c) for n, c in fields if 8 <= n <= len(block) - place), (0, 0))
        if not size:
            return
        yield code, block[place + 8 : place + size]
        place += size


def _offset(header: Any) -> int:
    """Return the first byte of the values; single files that say 0 begin after header and extension flag."""
    single = bytes(header["magic"].item()).startswith(b"n+")
    return max(int(header["vox_offset"]), int(header["sizeof_hdr"]) + 4 if single else 0)


def _header_file(path: Path) -> Path:
    """Return the header file of a pair when its ``.img`` is given."""
    swapped = _sibling(path, ".img", ".hdr")
    if swapped is None:
        return path
    if not swapped.exists():
        raise UnsupportedFormatError(f"{path} needs its header {swapped.name} beside it, which is missing.")
    return swapped


def _data_file(path: Path, header: Any) -> Path:
    """Return the file with the values: the same, or the ``.img`` of a pair."""
    magic = bytes(header["magic"].item())
    if magic.startswith(b"n+"):
        return path
    other = _sibling(path, ".hdr", ".img")
    candidates = [path.with_suffix(".img")] if other is None else [other]
    candidates += [candidates[0].with_name(candidates[0].name + ".gz")]
    candidates += [candidates[0].with_name(candidates[0].name.removesuffix(".gz"))]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise DamagedFileError(f"{path} is a header only; put its image file {candidates[0].name} beside it.")


def _sibling(path: Path, old: str, new: str) -> Path | None:
    """Return the path with one part of its suffix exchanged, None if it has another suffix."""
    name = path.name
    for ending in (old, old + ".gz"):
        if name.lower().endswith(ending):
            stem, tail = name[: -len(ending)], name[-len(ending) :]
            swapped = new.upper() if tail[: len(old)].isupper() else new
            return path.with_name(stem + swapped + tail[len(old) :])
    return None
