"""Convert one picture, or values stored as a picture, without another image to lean on."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_medpatch.errors import LabelsError, OutputError
from napari_medpatch.geometry import Box
from napari_medpatch.io.export_format import GEOJSON, NIFTI, OME_TIFF, PNG
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.export_values import as_unit_floats
from napari_medpatch.io.label_image import to_labels
from napari_medpatch.io.nifti_export import write_nifti
from napari_medpatch.io.ome import write_ome_tiff
from napari_medpatch.io.photo_file import MAX_PIXELS
from napari_medpatch.io.png import write_png
from napari_medpatch.io.raster import Raster
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_grid import VolumeGrid
from napari_medpatch.io.wording import size_text


def convert_raster(raster: Raster, path: Path, output: Path, wanted: str) -> Path:
    """Convert values that were stored as PNG or TIFF; they stay what they are.

    Raises
    ------
    OutputError
        If the format cannot hold them, or the position that NIfTI needs is not known.
    LabelsError
        If outlines of something else than labels are asked for.
    """
    note = raster.note or ExportNote("image")
    if wanted == OME_TIFF:
        return write_ome_tiff(
            raster.values,
            output,
            pixel_size=raster.pixel_size,
            unit=raster.unit,
            origin=raster.origin,
            channel_names=raster.channel_names,
            axes=raster.axes,
            note=raster.note,
        )
    if wanted == NIFTI:
        return _raster_to_nifti(raster, path, output, note)
    if wanted not in (PNG, GEOJSON):
        raise OutputError(
            f"{output} was not written: {path.name} does not say how it lies in the body, which {wanted} needs; give "
            "the volume with --like."
        )
    values = _plane(raster, path, output, wanted)
    if wanted == PNG:
        return write_png(values, output, note=raster.note)
    from napari_medpatch.io.geojson import write_mask_geojson

    if raster.is_map:
        raise LabelsError(f"{path} holds a map, not labels; outlines are drawn of masks.")
    labels = to_labels(values, path)
    if np.array_equal(np.unique(labels), [0, 255]):
        labels = (labels > 0).astype(np.uint8)
    return write_mask_geojson(labels, output, class_names=note.class_names)


def convert_picture(path: Path, output: Path, wanted: str) -> Path:
    """Convert a photograph or a slide, at full resolution, to PNG or OME-TIFF.

    Raises
    ------
    OutputError
        If another format is asked for, or the slide is too large to hold in memory.
    """
    from napari_medpatch.io.detect import open_source

    with closing(open_source(path)) as source:
        if wanted not in (PNG, OME_TIFF):
            what = "outlines are drawn of masks" if wanted == GEOJSON else f"{wanted} is for volumes"
            raise OutputError(f"{output} was not written: {path.name} is a {source.kind} and {what}.")
        pixels = _all_pixels(source, output)
        if wanted == PNG:
            return write_png(pixels, output)
        size = source.spacing
        values, unit = (size.values, size.unit) if size is not None else (None, "um")
        return write_ome_tiff(pixels, output, pixel_size=values, unit=unit, axes="YXS", note=ExportNote("image"))


def _all_pixels(source: Source, output: Path) -> AnyArray:
    shape = source.levels[0].shape
    if int(np.prod(shape, dtype=np.int64)) > MAX_PIXELS:
        raise OutputError(
            f"{output} was not written: {source.path.name} has {size_text(shape[::-1])} pixels, too many for one "
            "picture; export a region from the window."
        )
    return source.read(0, Box.whole(shape))


def _raster_to_nifti(raster: Raster, path: Path, output: Path, note: ExportNote) -> Path:
    """Write a stack that this package made from a volume, in the axes that were shown."""
    if note.affine is None or raster.axes not in ("ZYX", "CZYX"):
        raise OutputError(
            f"{output} was not written: {path.name} does not say how it lies in the body; give the volume with --like."
        )
    shape = raster.values.shape[-3:]
    grid = VolumeGrid.of_array(shape, np.asarray(note.affine), (1.0, 1.0, 1.0))
    floats = raster.values.dtype == np.uint8 and note.kind == "probabilities"
    values = as_unit_floats(raster.values) if floats else raster.values
    return write_nifti(values, grid, output, note=replace(note, affine=None))


def _plane(raster: Raster, path: Path, output: Path, wanted: str) -> AnyArray:
    """Return the only plane."""
    values = raster.values
    if int(np.prod(values.shape[:-2], dtype=np.int64)) != 1:
        raise OutputError(
            f"{output} was not written: {wanted} holds one plane and {path.name} has "
            f"{size_text(values.shape[:-2])}; use .ome.tiff."
        )
    return values.reshape(values.shape[-2:])
