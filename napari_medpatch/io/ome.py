"""OME-TIFF with values, never colours: lossless, calibrated, pyramidal when large.

``origin`` is where the first pixel's *centre* lies, in the unit of ``pixel_size``; it is written as the planes'
PositionX, PositionY and PositionZ, which is where napari's ``translate`` and OMERO's stage position are.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import OutputError
from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.ome_geometry import NAMESPACE, NOTE_KEY, OmeGeometry, parse_ome_xml
from napari_medpatch.io.source import AnyArray

TILE = 512
_TILED_FROM = 2048
_SMALLEST_LEVEL = 512
_TYPES = {"uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64"}


def write_ome_tiff(
    array: AnyArray,
    path: str | os.PathLike[str],
    *,
    pixel_size: Sequence[float] | None = None,
    unit: str = "um",
    origin: Sequence[float] | None = None,
    channel_names: Sequence[str] = (),
    axes: str | None = None,
    note: ExportNote | None = None,
    atomic: bool = True,
) -> Path:
    """Write values as OME-TIFF, compressed without loss, tiled and with sub-resolutions when a side is over 2048.

    Parameters
    ----------
    array : ndarray
        ``YX``, ``CYX``, ``ZYX``, ``CZYX``, or ``YXS`` for RGB. Booleans become uint8, float16 float32.
    path : path-like
        ``.ome.tiff``, ``.ome.tif``, ``.tiff`` or ``.tif``; OME-XML is written in any case.
    pixel_size, origin : sequence of float, optional
        Along ``(y, x)`` or ``(z, y, x)``.
    unit : {"um", "mm"}
        Of ``pixel_size`` and ``origin``, the centre of the first pixel (as many values).
    channel_names : sequence of str
        One per channel.
    axes : str, optional
        Axes of ``array`` when they do not follow from its shape: three axes are ``CYX`` if there are as many
        channel names as entries, ``ZYX`` if there are three pixel sizes, ``CYX`` otherwise.
    note : ExportNote, optional
        What the values are.
    atomic : bool
        Write the file whole or not at all; False for who sees to that himself.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    OutputError
        If the file cannot be written or the type of the values has no place in OME-TIFF.
    """
    import tifffile

    target = Path(path)
    array = _storable(np.asarray(array), target)
    order = axes or _guess_axes(array, pixel_size, channel_names)
    metadata = _metadata(array.shape, order, pixel_size, unit, origin, channel_names, note)
    metadata["UUID"] = _identity(array, metadata)
    levels, options = list(_levels(array, order)), _options(array.shape, order)
    with (
        atomic_file(target) if atomic else nullcontext(target) as temporary,
        tifffile.TiffWriter(temporary, ome=True, bigtiff=array.nbytes > 2**31) as tiff,
    ):
        tiff.write(array, subifds=len(levels), metadata=metadata, **_resolution(pixel_size, unit), **options)
        for level in levels:
            tiff.write(level, subfiletype=1, metadata=None, **options)
    return target


def read_ome_geometry(path: str | os.PathLike[str]) -> OmeGeometry | None:
    """Read axes, calibration and names of an OME-TIFF.

    Parameters
    ----------
    path : path-like
        Any TIFF.

    Returns
    -------
    OmeGeometry or None
        None if the file has no readable OME-XML.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            if not tiff.is_ome or not tiff.series:
                return None
            series = tiff.series[0]
            return parse_ome_xml(tiff.ome_metadata, series.axes, tuple(int(n) for n in series.shape))
    except (tifffile.TiffFileError, OSError, ValueError, RuntimeError, IndexError, KeyError):
        return None


def _identity(array: AnyArray, metadata: Mapping[str, Any]) -> str:
    """Return a UUID that follows from the content, so that the same result gives the same bytes."""
    content = hashlib.sha256(np.ascontiguousarray(array).data)
    content.update(repr(sorted(metadata.items())).encode())
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"napari-medpatch/{content.hexdigest()}"))


def _storable(array: AnyArray, path: Path) -> AnyArray:
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.name not in _TYPES or not array.size:
        raise OutputError(f"{path} was not written: OME-TIFF cannot hold {array.shape} values of type {array.dtype}.")
    return array


def _guess_axes(array: AnyArray, pixel_size: Sequence[float] | None, channel_names: Sequence[str]) -> str:
    if array.ndim == 3:
        named = len(channel_names) == array.shape[0]
        return "ZYX" if not named and pixel_size is not None and len(pixel_size) == 3 else "CYX"
    if array.ndim not in (2, 4):
        raise OutputError(f"OME-TIFF holds two to four axes, not {array.ndim}; give a part of the array.")
    return "YX" if array.ndim == 2 else "CZYX"


def _options(shape: tuple[int, ...], axes: str) -> dict[str, Any]:
    """Return what all levels share: lossless compression, and tiles when large."""
    options: dict[str, Any] = {"photometric": "rgb" if axes.endswith("S") else "minisblack", "compression": "zlib"}
    return options | ({"tile": (TILE, TILE)} if max(_plane(shape, axes)) > _TILED_FROM else {})


def _plane(shape: tuple[int, ...], axes: str) -> tuple[int, int]:
    return shape[axes.index("Y")], shape[axes.index("X")]


def _levels(array: AnyArray, axes: str) -> Iterator[AnyArray]:
    """Yield halved copies of a large image."""
    if max(_plane(array.shape, axes)) <= _TILED_FROM:
        return
    while max(_plane(array.shape, axes)) > _SMALLEST_LEVEL:
        array = _halved(array, axes)
        yield array


def _halved(array: AnyArray, axes: str) -> AnyArray:
    """Average 2 × 2 pixels of RGB; take every other one of labels and probabilities, so that values stay."""
    if not axes.endswith("S"):
        return np.ascontiguousarray(array[..., ::2, ::2])
    y, x, s = array.shape
    even = np.pad(array, ((0, y % 2), (0, x % 2), (0, 0)), mode="edge")
    blocks = even.reshape((y + 1) // 2, 2, (x + 1) // 2, 2, s)
    mean: AnyArray = np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)).astype(array.dtype)
    return mean


def _metadata(
    shape: tuple[int, ...],
    axes: str,
    pixel_size: Sequence[float] | None,
    unit: str,
    origin: Sequence[float] | None,
    channel_names: Sequence[str],
    note: ExportNote | None,
) -> dict[str, Any]:
    """Return tifffile's OME metadata."""
    result: dict[str, Any] = {"axes": axes}
    name = {"um": "µm", "mm": "mm"}[unit]
    spatial = "ZYX"[-len(pixel_size) :] if pixel_size is not None else ""
    for axis, size in zip(spatial, pixel_size or (), strict=True):
        result |= {f"PhysicalSize{axis}": float(size), f"PhysicalSize{axis}Unit": name}
    if origin is not None:
        result["Plane"] = _positions(shape, axes, pixel_size, origin, name)
    if channel_names and "C" in axes:
        result["Channel"] = {"Name": list(channel_names)}
    if note is not None:
        result["MapAnnotation"] = {"Namespace": NAMESPACE, NOTE_KEY: note.to_json()}
    return result


def _positions(
    shape: tuple[int, ...], axes: str, pixel_size: Sequence[float] | None, origin: Sequence[float], unit: str
) -> dict[str, Any]:
    """Return the position of every plane; those of a stack differ in z."""
    planes = tuple(n for n, axis in zip(shape, axes, strict=True) if axis in "CZ")
    count = int(np.prod(planes, dtype=np.int64))
    result: dict[str, Any] = {}
    for axis, value in zip("ZYX"[-len(origin) :], origin, strict=True):
        values = np.full(planes, float(value))
        if axis == "Z" and "Z" in axes and pixel_size is not None:
            values = values + np.arange(planes[-1]) * float(pixel_size[0])
        result |= {f"Position{axis}": values.ravel().tolist(), f"Position{axis}Unit": [unit] * count}
    return result


def _resolution(pixel_size: Sequence[float] | None, unit: str) -> dict[str, Any]:
    """Return plain TIFF resolution tags too, for readers that do not know OME."""
    if pixel_size is None:
        return {}
    per_cm = 1e4 if unit == "um" else 10.0
    y, x = (float(v) for v in tuple(pixel_size)[-2:])
    return {"resolution": (per_cm / x, per_cm / y), "resolutionunit": "CENTIMETER"}
