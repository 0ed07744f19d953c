"""Write masks and probability maps on the grid of the image they belong to."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import GeometryError, OutputError
from napari_medpatch.geometry import derived_grid
from napari_medpatch.io.atomic import check_writable
from napari_medpatch.io.export_format import GEOJSON, NIFTI, PNG, result_format
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.export_values import (
    as_bytes,
    as_unit_floats,
    mask_values,
    one_class,
    one_slice,
    probability_values,
)
from napari_medpatch.io.labels_file import labels_downsample
from napari_medpatch.io.nifti_export import write_nifti
from napari_medpatch.io.ome import write_ome_tiff
from napari_medpatch.io.png import write_png
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_grid import VolumeGrid
from napari_medpatch.io.wording import size_text


def write_mask(
    mask: AnyArray,
    source: Source,
    path: str | os.PathLike[str],
    *,
    class_names: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write a mask; the suffix says the format.

    Parameters
    ----------
    mask : ndarray
        Booleans or whole numbers from 0 to 255: 0 background, 1… classes. ``(Z, Y, X)`` or ``(Y, X)`` on
        the source's finest grid; for slides also a raster of the whole slide at any downsample.
    source : Source
        The image.
    path : path-like
        ``.nii``, ``.nii.gz`` (volumes: exact shape, axes, affine and codes of the source's file), ``.ome.tiff``
        and the like (calibrated values), ``.png`` (values), ``.geojson`` (outlines in level-0 pixels).
    class_names : sequence of str
        Of values 1, 2, …; kept in the file.
    provenance : mapping, optional
        Model and settings, kept in the file.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    GeometryError
        If the mask does not cover the source.
    LabelsError
        If its values do not fit uint8.
    OutputError
        If the format cannot hold it or the file cannot be written.
    """
    target = Path(path)
    found = result_format(target, source)
    values = mask_values(mask)
    downsample = _downsample(values.shape, source)
    note = ExportNote("mask", tuple(class_names), dict(provenance or {}))
    if found == NIFTI:
        return write_nifti(values, _grid(source), target, note=note)
    if found == PNG:
        return write_png(one_slice(values), target, note=note)
    if found == GEOJSON:
        from napari_medpatch.io.geojson import write_mask_geojson

        return write_mask_geojson(one_slice(values), target, class_names=class_names, scale=downsample[-2:])
    axes = "ZYX" if source.kind == "volume" else "YX"
    return _write_ome(values, axes, source, downsample, target, note)


def write_probabilities(
    probabilities: AnyArray | None,
    source: Source,
    path: str | os.PathLike[str],
    *,
    class_names: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write probability maps as values; the suffix says the format.

    Parameters
    ----------
    probabilities : ndarray or None
        ``(C, Z, Y, X)`` or ``(C, Y, X)``, or without the class axis; uint8 (probability × 255) or floats
        from 0 to 1. Grid as in :func:`write_mask`.
    source : Source
        The image.
    path : path-like
        ``.nii``, ``.nii.gz``: float32 from 0 to 1, classes on the fourth axis. ``.ome.tiff``: uint8 or float32 as
        given, classes as channels. ``.png``: one class only, probability × 255.
    class_names : sequence of str
        Of the classes.
    provenance : mapping, optional
        Model and settings, kept in the file.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    GeometryError
        If the maps do not cover the source.
    OutputError
        If there are none, the format cannot hold them or the file cannot be written.
    """
    target = Path(path)
    found = result_format(target, source)
    if probabilities is None:
        raise OutputError(f"{target} was not written: the job made no probability maps; ask for them when it starts.")
    values = probability_values(probabilities, source, target)
    downsample = _downsample(values.shape[1:], source)
    note = ExportNote("probabilities", tuple(class_names), dict(provenance or {}))
    if found == NIFTI:
        return write_nifti(as_unit_floats(values), _grid(source), target, note=note)
    if found == PNG:
        return write_png(one_slice(one_class(as_bytes(values), target)), target, note=note)
    if found == GEOJSON:
        raise OutputError(f"{target} was not written: GeoJSON holds outlines, not maps; use .ome.tiff or .png.")
    axes = "CZYX" if source.kind == "volume" else "CYX"
    return _write_ome(values, axes, source, downsample, target, note)


def check_output(path: str | os.PathLike[str], source: Source) -> None:
    """Raise now what writing a mask of ``source`` to ``path`` would raise after hours of work.

    Raises
    ------
    OutputError
        If the suffix does not fit or the folder cannot be written to.
    """
    result_format(path, source)
    check_writable(path)


def export_path(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    like: str | os.PathLike[str] | None = None,
    volume_index: int | None = None,
) -> Path:
    """Convert a file; see :func:`napari_medpatch.io.convert.convert`."""
    from napari_medpatch.io.convert import convert

    return convert(Path(path), Path(output), None if like is None else Path(like), volume_index)


def _downsample(shape: tuple[int, ...], source: Source) -> tuple[float, float]:
    """Return level-0 pixels per pixel of a result along y and x, after checking that it covers the source."""
    full = source.levels[0].shape
    if shape == full:
        return 1.0, 1.0
    if source.kind == "slide" and len(shape) == 2:
        return labels_downsample(np.empty(shape, dtype=np.bool_), source)
    raise GeometryError(f"A result of {size_text(shape)} does not lie on the grid of {source.path}, {size_text(full)}.")


def _grid(source: Source) -> VolumeGrid:
    grid: VolumeGrid = source.grid  # type: ignore[attr-defined]
    return grid


def _write_ome(
    values: AnyArray,
    axes: str,
    source: Source,
    downsample: tuple[float, float],
    path: Path,
    note: ExportNote,
) -> Path:
    """Write calibrated values; the first pixel's centre is at the source's, moved by half a coarse pixel."""
    size = origin = None
    unit = "um"
    if source.spacing is not None:
        steps = (1.0,) * (len(source.spacing.values) - 2) + downsample
        placed = derived_grid(steps, source.spacing.values)
        size, origin, unit = placed.scale, placed.translate, source.spacing.unit
    if source.kind == "volume":
        grid = _grid(source)
        affine = grid.canonical_affine
        # DICOM's and OME's x and y run to the left and to posterior, NIfTI's to the right and to anterior.
        origin = (float(affine[2, 3]), -float(affine[1, 3]), -float(affine[0, 3])) if grid.known else origin
        note = replace(note, affine=tuple(tuple(row) for row in affine.tolist()) if grid.known else None)
    names = note.class_names if "C" in axes else ()
    return write_ome_tiff(
        values, path, pixel_size=size, unit=unit, origin=origin, channel_names=names, axes=axes, note=note
    )
