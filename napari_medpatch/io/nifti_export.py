"""Write results on the exact grid of the file they came from: shape, axes, affine and codes are the file's.

nibabel makes the header; the values follow slab by slab, so that a long write can be watched and stopped.
"""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.export_steps import Steps, slabs
from napari_medpatch.io.nifti_file import open_nifti
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.volume_grid import VolumeGrid
from napari_medpatch.steps import finish

_LABEL_INTENT = 1002
_COMMENT = 6
_DESCRIPTION_BYTES = 79
_GZIP_LEVEL = 1


def write_nifti(array: AnyArray, grid: VolumeGrid, path: str | os.PathLike[str], *, note: ExportNote) -> Path:
    """Write a volume, or one volume per class, on the grid of its source.

    Parameters
    ----------
    array : ndarray
        ``(Z, Y, X)``, or ``(C, Z, Y, X)`` which becomes the fourth axis.
    grid : VolumeGrid
        Of the source. Its header is kept in what concerns the grid: sform, qform, their codes, units. What
        concerns values, timing and people (descriptions, extensions) is replaced.
    path : path-like
        ``.nii`` or ``.nii.gz``; NIfTI-2 if the source's file is.
    note : ExportNote
        Kind and names; written as a header extension, in short as the description.

    Raises
    ------
    GeometryError
        If the array does not cover the grid.
    OutputError
        If the file cannot be written.
    """
    return finish(nifti_steps(array, grid, Path(path), note=note))


def nifti_steps(array: AnyArray, grid: VolumeGrid, path: Path, *, note: ExportNote) -> Steps:
    """As :func:`write_nifti`, in steps."""
    volumes = [grid.to_original(volume) for volume in (array[None] if array.ndim == 3 else array)]
    header = _header(grid, (*grid.shape, len(volumes)) if len(volumes) > 1 else grid.shape, array.dtype, note)
    with atomic_file(path) as temporary, _opened(temporary) as stream:
        header.write_to(stream)
        stream.write(b"\0" * (int(header["vox_offset"]) - stream.tell()))
        for done, volume in enumerate(volumes):
            for share, block in slabs(volume):
                stream.write(block)
                yield (done + share) / len(volumes)
    return path


def read_nifti_note(path: str | os.PathLike[str]) -> ExportNote | None:
    """Return the note of a NIfTI file that this package wrote, None of others."""
    for code, content in open_nifti(path).extensions():
        note = ExportNote.from_json(content.rstrip(b"\0")) if code == _COMMENT else None
        if note is not None:
            return note
    return None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as stream:
        if path.suffix.lower() != ".gz":
            yield stream
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=_GZIP_LEVEL, mtime=0) as packed:
            yield cast(BinaryIO, packed)


def _header(grid: VolumeGrid, shape: tuple[int, ...], dtype: Any, note: ExportNote) -> Any:
    from nibabel.nifti1 import Nifti1Extension

    header = _new_header(grid) if grid.header is None else grid.header.copy()
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header["magic"] = header.single_magic
    header["vox_offset"] = 0
    for field in ("cal_min", "cal_max", "toffset", "slice_code", "slice_start", "slice_end", "slice_duration"):
        header[field] = 0
    for field in ("descrip", "aux_file", "intent_name", "db_name"):
        if field in header.keys():  # noqa: SIM118 - a nibabel header iterates otherwise
            header[field] = b""
    for field in ("intent_p1", "intent_p2", "intent_p3"):
        header[field] = 0
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["intent_code"] = _LABEL_INTENT if note.kind == "mask" else 0
    if len(shape) == 4:
        header["pixdim"][4] = 1
    header["descrip"] = _description(note)
    header.extensions[:] = [Nifti1Extension(_COMMENT, note.to_json().encode("ascii"))]
    return header


def _new_header(grid: VolumeGrid) -> Any:
    """Return the header of a volume that was no file: positions in mm, in the scanner's frame if it is known."""
    import nibabel as nib

    header = nib.Nifti1Header()
    header.set_data_shape(grid.shape)
    header.set_sform(grid.affine, code=1 if grid.known else 2)
    header["pixdim"][1:4] = np.sqrt((grid.affine[:3, :3] ** 2).sum(axis=0))
    if grid.known and not grid.is_sheared:
        header.set_qform(grid.affine, code=1)  # a quaternion cannot say how a tilted gantry shears the grid
    header.set_xyzt_units("mm")
    return header


def _description(note: ExportNote) -> bytes:
    """Return ``medpatch mask: 1 lung`` in the 79 bytes that the header has."""
    summary = note.summary()
    text = f"medpatch {note.kind}" + (f": {summary}" if summary else "")
    return text.encode("ascii", "replace")[:_DESCRIPTION_BYTES]
