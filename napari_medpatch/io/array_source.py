"""Plain arrays as sources: napari layers without a file, notebooks, tests."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.geometry import Spacing
from napari_medpatch.io.memory import MemorySource
from napari_medpatch.io.nifti_values import convert, survey
from napari_medpatch.io.orientation import Affine
from napari_medpatch.io.pixels import to_rgb
from napari_medpatch.io.source import AnyArray, Kind
from napari_medpatch.io.volume_grid import VolumeGrid


class ArraySource(MemorySource):
    """An array in memory with the protocol of a source.

    Parameters
    ----------
    data : array-like
        Photograph or slide: ``(Y, X)``, ``(Y, X, 3)`` or ``(Y, X, 4)``, any real type, made 8-bit RGB as
        :func:`napari_medpatch.io.pixels.to_rgb` does. Volume: ``(Z, Y, X)`` as shown, slices going up, rows
        to posterior, columns to the patient's left; int16 or float32 by the rule of ``io/nifti_values.py``.
    kind : {"photo", "slide", "volume"}
        What it is.
    spacing : Spacing or sequence of float, optional
        Size of a pixel along each spatial axis; mm for volumes, µm otherwise.
    path : path-like
        File it came from, or a name.
    affine : array-like, optional
        (4, 4), volume only: ``(x, y, z)`` index to RAS+ mm. Gives the spacing too.
    metadata : mapping, optional
        Further JSON-serialisable facts.

    Raises
    ------
    UnsupportedFormatError
        If the array has the wrong number of axes or no finite value.
    GeometryError
        If a spacing is not positive.
    """

    def __init__(
        self,
        data: Any,
        kind: Kind,
        spacing: Spacing | Sequence[float] | None = None,
        path: str | os.PathLike[str] = Path("untitled"),
        affine: Any = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        array = np.asarray(data)
        facts: dict[str, Any] = {"notes": [], **(metadata or {})}
        size = _spacing(spacing, kind)
        grid = None
        if kind == "volume":
            array, unit = _volume(array)
            facts.setdefault("value_unit", unit)
            grid, size = _grid(array, affine, size)
        else:
            array = to_rgb(array, str(path))
        super().__init__(Path(path), kind, array, format="array", spacing=size, metadata=facts, grid=grid)


def _spacing(given: Spacing | Sequence[float] | None, kind: Kind) -> Spacing | None:
    if given is None or isinstance(given, Spacing):
        return given
    return Spacing(tuple(float(v) for v in given), "mm" if kind == "volume" else "um", "given")


def _volume(array: AnyArray) -> tuple[AnyArray, str]:
    """Return a volume's values by the same rule as files, and their unit."""
    if array.ndim != 3 or not array.size or array.dtype.kind not in "biuf":
        raise UnsupportedFormatError(f"A volume needs three axes of real numbers, got {array.shape} {array.dtype}.")
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    facts = survey(array)
    if not np.isfinite(facts.low):
        raise UnsupportedFormatError("The volume holds no finite value.")
    same = array.dtype == facts.dtype and not facts.bad
    values = array if same else convert(array, facts)
    return np.ascontiguousarray(values), "HU" if facts.is_ct else "arbitrary units"


def _grid(array: AnyArray, affine: Any, size: Spacing | None) -> tuple[VolumeGrid, Spacing | None]:
    matrix: Affine | None = None if affine is None else np.asarray(affine, dtype=np.float64)
    grid = VolumeGrid.of_array(array.shape, matrix, size.values if size is not None else (1.0, 1.0, 1.0))
    if size is None and grid.known:
        size = Spacing(grid.spacing, "mm", "affine")
    return grid, size
