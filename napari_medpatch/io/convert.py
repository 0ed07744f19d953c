"""Convert files from one format to another: what ``napari-medpatch export`` does."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.errors import LabelsError, OutputError, UnsupportedFormatError
from napari_medpatch.io.convert_image import convert_picture, convert_raster, convert_volume
from napari_medpatch.io.export import write_mask, write_probabilities
from napari_medpatch.io.export_format import CSV, GEOJSON, export_format
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.labels_file import is_nifti, read_labels
from napari_medpatch.io.nifti_export import read_nifti_note
from napari_medpatch.io.photo_file import photo_format
from napari_medpatch.io.raster import Raster, read_raster

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source

_TABLES = (".csv", ".geojson", ".geojson.gz", ".json")


def convert(path: Path, output: Path, like: Path | None = None, volume_index: int | None = None) -> Path:
    """Convert an image, mask, map or score file; the suffix of ``output`` says the format.

    Parameters
    ----------
    path : Path
        A volume (NIfTI); a photograph or slide; a mask or map (NIfTI, PNG, TIFF); scores of patches
        (``.csv``, ``.geojson``).
    output : Path
        Volumes become NIfTI or OME-TIFF; photographs and slides PNG or OME-TIFF; masks these and GeoJSON
        outlines; scores CSV or GeoJSON.
    like : Path, optional
        Image that a mask or map belongs to: gives grid, axes and pixel size.
    volume_index : int, optional
        Which volume of a 4D file, from 0.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    OutputError
        If the two formats do not go together or the file cannot be written.
    UnsupportedFormatError, DamagedFileError, GeometryError, LabelsError
        If the input cannot be read or does not fit ``like``.
    """
    wanted = export_format(output)
    if path.exists() and output.exists() and path.samefile(output):
        raise OutputError(f"{output} is the input itself; give another name.")
    if path.name.lower().endswith(_TABLES):
        return _convert_table(path, output, wanted)
    if wanted == CSV:
        raise OutputError(f"{output} was not written: only scores of patches (.geojson) become CSV, not {path.name}.")
    if like is not None:
        from napari_medpatch.io.detect import open_source

        with closing(open_source(like)) as source:
            return _convert_onto(path, output, source)
    if path.is_file() and is_nifti(path):
        return convert_volume(path, output, wanted, volume_index)
    raster = _raster(path)
    if raster is None:
        return convert_picture(path, output, wanted)
    return convert_raster(raster, path, output, wanted)


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


def _convert_onto(path: Path, output: Path, source: "Source") -> Path:
    """Convert a mask or map that lies on the grid of another image."""
    if is_nifti(path):
        note = read_nifti_note(path)
        if note is not None and note.kind == "probabilities":
            return convert_volume(path, output, export_format(output))
        return _write_labels(path, output, source, note)
    raster = _raster(path)
    if raster is None:
        raise LabelsError(f"{path} is a colour picture; with --like give a mask or a probability map.")
    if raster.is_map:
        names = raster.channel_names or (raster.note.class_names if raster.note is not None else ())
        return write_probabilities(raster.values, source, output, class_names=names)
    return _write_labels(path, output, source, raster.note)


def _write_labels(path: Path, output: Path, source: "Source", note: ExportNote | None) -> Path:
    labels = read_labels(path, source)
    names = note.class_names if note is not None else ()
    return write_mask(labels, source, output, class_names=names, provenance=note.provenance if note else None)


def _raster(path: Path) -> Raster | None:
    """Return values of a PNG, TIFF or BMP; None for everything else, which ``open_source`` may know."""
    if not path.is_file():
        return None
    try:
        photo_format(path)
    except UnsupportedFormatError:
        return None
    return read_raster(path)
