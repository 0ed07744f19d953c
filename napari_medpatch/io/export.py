"""Write masks, probability maps and volumes on the grid of the image they belong to."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_medpatch.events import Job, run
from napari_medpatch.io.atomic import check_writable
from napari_medpatch.io.dicom_source_files import check_identified
from napari_medpatch.io.export_format import DICOM_SEG, PNG_SERIES, ResultKind, result_format
from napari_medpatch.io.export_job import exporting_mask, exporting_probabilities, exporting_volume, spare_the_image
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.png_series import check_replaceable
from napari_medpatch.io.source import AnyArray, Source


def write_mask(
    mask: AnyArray,
    source: Source,
    path: str | os.PathLike[str],
    *,
    class_names: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    colours: Sequence[str] = (),
    options: ExportOptions | None = None,
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
        Of volumes, on the exact grid of the source's file: ``.nii``, ``.nii.gz``, ``.nrrd``, ``.seg.nrrd`` (3D
        Slicer), ``.mha``; ``.dcm`` (DICOM-SEG, if the source is a DICOM series); ``.stl``, ``.ply`` (surfaces in mm);
        a name without suffix (a folder of PNG slices). Of all images: ``.ome.tiff`` and the like (calibrated values),
        ``.png`` (values), ``.geojson`` (outlines in level-0 pixels).
    class_names : sequence of str
        Of values 1, 2, …; kept in the file.
    provenance : mapping, optional
        Model and settings, kept in the file.
    colours : sequence of str, optional
        ``#rrggbb`` of the classes, for formats that keep colours; colour-blind-safe ones by default.
    options : ExportOptions, optional
        What else there is to choose, by format.

    Returns
    -------
    Path
        The file written, the first of several. ``run(exporting_mask(…)).paths`` has all of them.

    Raises
    ------
    GeometryError
        If the mask does not cover the source.
    LabelsError
        If its values do not fit uint8.
    OutputError
        If the format cannot hold it or the file cannot be written.
    """
    job = exporting_mask(
        mask, source, path, class_names=class_names, provenance=provenance, colours=colours, options=options
    )
    return written(job)


def write_probabilities(
    probabilities: AnyArray | None,
    source: Source,
    path: str | os.PathLike[str],
    *,
    class_names: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    colours: Sequence[str] = (),
    options: ExportOptions | None = None,
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
        ``.nii``, ``.nii.gz``, ``.nrrd``, ``.mha``: float32 from 0 to 1, classes on the fourth axis or as vector.
        ``.dcm``: fractional DICOM-SEG. ``.ome.tiff``: uint8 or float32 as given, classes as channels. ``.png``: one
        class only, probability × 255.
    class_names, provenance, colours, options
        As in :func:`write_mask`.

    Returns
    -------
    Path
        The file written, the first of several. ``run(exporting_probabilities(…)).paths`` has all of them.

    Raises
    ------
    GeometryError
        If the maps do not cover the source.
    OutputError
        If there are none, the format cannot hold them or the file cannot be written.
    """
    job = exporting_probabilities(
        probabilities, source, path, class_names=class_names, provenance=provenance, colours=colours, options=options
    )
    return written(job)


def write_volume(source: Source, path: str | os.PathLike[str], *, options: ExportOptions | None = None) -> Path:
    """Write a volume as it was read, on the grid of its file; the suffix says the format.

    Parameters
    ----------
    source : Source
        A volume: NIfTI, DICOM series, NRRD, MetaImage.
    path : path-like
        ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``, ``.ome.tiff``, or a name without suffix for a folder of PNG slices.
    options : ExportOptions, optional
        Window and axis of PNG slices.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    OutputError
        If the format does not fit or the file cannot be written.
    """
    return written(exporting_volume(source, path, options=options))


def check_output(path: str | os.PathLike[str], source: Source, kind: ResultKind = "mask") -> None:
    """Raise now what writing a result of ``source`` to ``path`` would raise after hours of work.

    Raises
    ------
    OutputError
        If the suffix does not fit, the folder cannot be written to, ``path`` is the image itself, or a DICOM series
        lacks what a DICOM-SEG must refer to.
    """
    found = result_format(path, source, kind)
    spare_the_image(Path(path), source)
    if found == PNG_SERIES:
        check_replaceable(Path(path))
    if found == DICOM_SEG:
        check_identified(source)
    check_writable(path, folder=found == PNG_SERIES)


def export_path(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    like: str | os.PathLike[str] | None = None,
    volume_index: int | None = None,
    options: ExportOptions | None = None,
) -> Path:
    """Convert a file and return the one written; see :func:`napari_medpatch.io.convert.exporting_path`."""
    from napari_medpatch.io.convert import exporting_path

    return written(exporting_path(path, output, like=like, volume_index=volume_index, options=options))


def written(job: Job) -> Path:
    """Run an export to its end and return the file, the first of several."""
    path: Path = run(job).path
    return path
