"""MetaImage files (``.mha``) on the exact grid of their source, compressed, slab by slab.

Format: https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.io.export_steps import Steps, fitted, slabs
from napari_medpatch.io.lps import lps_affine
from napari_medpatch.io.nrrd_export import on_file_grid
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.volume_grid import VolumeGrid

_TYPES = {
    "uint8": "MET_UCHAR",
    "int8": "MET_CHAR",
    "uint16": "MET_USHORT",
    "int16": "MET_SHORT",
    "int32": "MET_INT",
    "uint32": "MET_UINT",
    "float32": "MET_FLOAT",
    "float64": "MET_DOUBLE",
}
_SIZE_DIGITS = 19


def write_metaimage(values: AnyArray, grid: VolumeGrid, path: Path, fields: Mapping[str, str]) -> Steps:
    """Write a volume, or channels as a vector in each voxel.

    Parameters
    ----------
    values, grid, fields
        As :func:`napari_medpatch.io.nrrd_export.write_nrrd`; a field's line breaks become spaces.
    path : Path
        ``.mha``.

    Raises
    ------
    GeometryError
        If the values do not cover the grid.
    OutputError
        If the file cannot be written.
    """
    array = on_file_grid(fitted(values), grid)
    before, after = _header(array, grid, fields)
    packer, size = zlib.compressobj(4), 0
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        stream.write(before)
        place = stream.tell()
        stream.write(b" " * _SIZE_DIGITS + after)
        for share, block in slabs(array):
            size += stream.write(packer.compress(block))
            yield share
        size += stream.write(packer.flush())
        stream.seek(place)
        stream.write(str(size).rjust(_SIZE_DIGITS).encode("ascii"))
    return path


def _header(array: AnyArray, grid: VolumeGrid, fields: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Return the lines before the size of the compressed data and those after it."""
    affine = lps_affine(grid)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    before = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = True",
        "CompressedDataSize = ",
    ]
    after = [
        "",
        # One axis of the grid after the other.
        f"TransformMatrix = {_numbers((affine[:3, :3] / spacing).T.ravel())}",
        f"Offset = {_numbers(affine[:3, 3])}",
        "CenterOfRotation = 0 0 0",
        f"ElementSpacing = {_numbers(spacing)}",
        *(f"{key} = {' '.join(value.split())}" for key, value in fields.items()),
        "DimSize = " + " ".join(str(n) for n in array.shape[-3:]),
        *([f"ElementNumberOfChannels = {array.shape[0]}"] if array.ndim == 4 else []),
        f"ElementType = {_TYPES[array.dtype.name]}",
        "ElementDataFile = LOCAL",
        "",
    ]
    return "\n".join(before).encode("ascii"), "\n".join(after).encode("utf-8")


def _numbers(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    return " ".join(format(float(v) + 0.0, ".17g") for v in values)
