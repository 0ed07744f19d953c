"""NRRD files on the exact grid of their source, gzipped, slab by slab.

Written here and not by SimpleITK, so that a full disk is noticed and a long write can be stopped; SimpleITK reads
them back in the tests. Format: https://teem.sourceforge.net/nrrd/format.html
"""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.io.export_steps import Steps, fitted, slabs
from napari_medpatch.io.lps import lps_affine
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.volume_grid import VolumeGrid

_TYPES = {
    "uint8": "uint8",
    "int8": "int8",
    "uint16": "uint16",
    "int16": "int16",
    "int32": "int32",
    "uint32": "uint32",
    "float32": "float",
    "float64": "double",
}


def write_nrrd(values: AnyArray, grid: VolumeGrid, path: Path, fields: Mapping[str, str]) -> Steps:
    """Write a volume, or channels as a vector in each voxel.

    Parameters
    ----------
    values : ndarray
        ``(Z, Y, X)``, or ``(C, Z, Y, X)``.
    grid : VolumeGrid
        Of the source: axes, directions and origin are the file's own.
    path : Path
        ``.nrrd``.
    fields : mapping
        Keys and values for the header; line breaks are escaped.

    Raises
    ------
    GeometryError
        If the values do not cover the grid.
    OutputError
        If the file cannot be written.
    """
    array = on_file_grid(fitted(values), grid)
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        stream.write(_header(array, grid, fields).encode("utf-8"))
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=4, mtime=0) as packed:
            for share, block in slabs(array):
                packed.write(block)
                yield share
    return path


def on_file_grid(values: AnyArray, grid: VolumeGrid) -> AnyArray:
    """Return ``(i, j, k)``, or ``(C, i, j, k)``, as the file's axes run."""
    if values.ndim == 3:
        return grid.to_original(values)
    if values.shape[0] == 1:
        return grid.to_original(values[0])
    return np.stack([grid.to_original(channel) for channel in values])


def _header(array: AnyArray, grid: VolumeGrid, fields: Mapping[str, str]) -> str:
    affine, channels = lps_affine(grid), array.ndim == 4
    directions = [_vector(affine[:3, axis]) for axis in range(3)]
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        f"type: {_TYPES[array.dtype.name]}",
        f"dimension: {array.ndim}",
        "space: left-posterior-superior",
        "sizes: " + " ".join(str(n) for n in array.shape),
        "space directions: " + " ".join((["none"] if channels else []) + directions),
        "kinds: " + " ".join((["vector"] if channels else []) + ["domain"] * 3),
        "endian: little",
        "encoding: gzip",
        'space units: "mm" "mm" "mm"',
        f"space origin: {_vector(affine[:3, 3])}",
        *(f"{key}:={_escaped(value)}" for key, value in fields.items()),
    ]
    return "\n".join(lines) + "\n\n"


def _vector(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    return "(" + ",".join(format(float(v) + 0.0, ".17g") for v in values) + ")"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")
