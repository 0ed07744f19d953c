"""Convert files from one format to another: what ``napari-medpatch export`` does."""

import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from napari_medpatch.errors import LabelsError, OutputError, UnsupportedFormatError
from napari_medpatch.events import Event, Finished, Job
from napari_medpatch.io.convert_image import convert_picture, convert_raster
from napari_medpatch.io.convert_volume import (
    convert_volume,
    is_volume,
    maps_onto,
    opened,
    seg_labels,
)
from napari_medpatch.io.dicom_seg_reading import is_dicom_seg
from napari_medpatch.io.export_format import CSV, GEOJSON, export_format
from napari_medpatch.io.export_job import Exported, exporting_mask, exporting_probabilities
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.photo_file import photo_format
from napari_medpatch.io.raster import Raster, read_raster
from napari_medpatch.io.read_volume import read_note
from napari_medpatch.io.segment_facts import seg_note
from napari_medpatch.io.source import Source

_TABLES = (".csv", ".geojson", ".geojson.gz", ".json")


def exporting_path(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    like: str | os.PathLike[str] | None = None,
    volume_index: int | None = None,
    options: ExportOptions | None = None,
) -> Job:
    """Convert an image, mask, map or score file as a job; the name of ``output`` says the format.

    Parameters
    ----------
    path : path-like
        A volume (NIfTI, a DICOM series, NRRD, MetaImage, a folder of PNG slices); a photograph or slide; a mask or map
        (these, PNG, TIFF, DICOM-SEG); scores of patches (``.csv``, ``.geojson``).
    output : path-like
        Volumes become NIfTI, NRRD, MetaImage, OME-TIFF or a folder of PNG slices; masks of volumes these, DICOM-SEG,
        STL and PLY; photographs and slides PNG or OME-TIFF; their masks these and GeoJSON outlines; scores CSV or
        GeoJSON.
    like : path-like, optional
        Image that a mask or map belongs to: gives grid, axes and pixel size, and the series of a DICOM-SEG.
    volume_index : int, optional
        Which volume of a 4D file, or series of a folder, from 0; of ``like`` if that is given.
    options : ExportOptions, optional
        What else there is to choose, by format.

    Yields
    ------
    Started, Noted, Working
        Progress.
    Finished
        The result is an :class:`napari_medpatch.io.export_job.Exported`.

    Raises
    ------
    OutputError
        If the two formats do not go together or the file cannot be written.
    UnsupportedFormatError, DamagedFileError, GeometryError, LabelsError
        If the input cannot be read or does not fit ``like``.
    """
    source, target = Path(path), Path(output)
    chosen = options or ExportOptions()
    wanted = export_format(target)
    if source.exists() and target.exists() and source.samefile(target):
        raise OutputError(f"{target} is the input itself; give another name.")
    if source.name.lower().endswith(_TABLES):
        yield Finished(Exported((_convert_table(source, target, wanted),)))
    elif wanted == CSV:
        raise OutputError(f"{target} was not written: only scores of patches (.geojson) become CSV, not {source.name}.")
    elif like is not None:
        image = yield from opened(Path(like), volume_index)
        with closing(image):
            yield from _convert_onto(source, target, image, chosen)
    else:
        yield from _convert_alone(source, target, wanted, volume_index, chosen)


def _convert_alone(
    path: Path, output: Path, wanted: str, volume_index: int | None, options: ExportOptions
) -> Generator[Event, None, None]:
    """Convert a file that says all that is needed."""
    if is_dicom_seg(path):
        yield from seg_labels(path, output, options)
    elif is_volume(path):
        yield from convert_volume(path, output, wanted, volume_index, options)
    else:
        raster = _raster(path)
        written = (
            convert_picture(path, output, wanted) if raster is None else convert_raster(raster, path, output, wanted)
        )
        yield Finished(Exported((written,)))


def _convert_table(path: Path, output: Path, wanted: str) -> Path:
    """Convert scores of patches between CSV and GeoJSON."""
    source_format = CSV if path.suffix.lower() == ".csv" else GEOJSON
    if (source_format, wanted) == (CSV, GEOJSON):
        from napari_medpatch.io.geojson import write_patches_geojson
        from napari_medpatch.io.score_csv import read_patch_scores

        return write_patches_geojson(output, read_patch_scores(path))
    if (source_format, wanted) == (GEOJSON, CSV):
        from napari_medpatch.io.geojson_reading import geojson_to_csv

        return geojson_to_csv(path, output)
    other = GEOJSON if source_format == CSV else CSV
    raise OutputError(f"{output} was not written: {path.name} holds {source_format} and can become {other} only.")


def _convert_onto(path: Path, output: Path, source: Source, options: ExportOptions) -> Job:
    """Convert a mask or map that lies on the grid of another image."""
    if is_dicom_seg(path) or is_volume(path):
        note = seg_note(path) if is_dicom_seg(path) else read_note(path)
        if note is not None and note.kind == "probabilities":
            return maps_onto(path, output, source, note, options)
        return _labels_onto(path, output, source, note, options)
    raster = _raster(path)
    if raster is None:
        raise LabelsError(f"{path} is a colour picture; with --like give a mask or a probability map.")
    if raster.is_map:
        names = raster.channel_names or (raster.note.class_names if raster.note is not None else ())
        return exporting_probabilities(raster.values, source, output, class_names=names, options=options)
    return _labels_onto(path, output, source, raster.note, options)


def _labels_onto(path: Path, output: Path, source: Source, note: ExportNote | None, options: ExportOptions) -> Job:
    labels = read_labels(path, source)
    said = note or ExportNote("mask")
    return exporting_mask(
        labels, source, output, class_names=said.class_names, provenance=said.provenance, options=options
    )


def _raster(path: Path) -> Raster | None:
    """Return values of a PNG, TIFF or BMP; None for everything else, which ``open_source`` may know."""
    if not path.is_file():
        return None
    try:
        photo_format(path)
    except UnsupportedFormatError:
        return None
    return read_raster(path)
