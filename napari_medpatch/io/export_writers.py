"""One writer per format, all of one shape: a part in, steps out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from napari_medpatch.errors import OutputError
from napari_medpatch.events import Noted
from napari_medpatch.geometry import derived_grid
from napari_medpatch.io import export_format as names
from napari_medpatch.io.class_colours import class_colour
from napari_medpatch.io.dicom_seg import write_dicom_seg
from napari_medpatch.io.dicom_segments import Maker
from napari_medpatch.io.export_note import KEY
from napari_medpatch.io.export_part import Part
from napari_medpatch.io.export_steps import Steps, in_thread, scaled
from napari_medpatch.io.export_values import as_bytes, as_unit_floats, one_class, one_slice
from napari_medpatch.io.mesh_export import mesh_steps, write_ply, write_stl
from napari_medpatch.io.metaimage_export import write_metaimage
from napari_medpatch.io.nifti_export import nifti_steps
from napari_medpatch.io.nrrd_export import write_nrrd
from napari_medpatch.io.ome import write_ome_tiff
from napari_medpatch.io.png import write_png
from napari_medpatch.io.png_series import SliceCoding, write_png_series
from napari_medpatch.io.slicer_fields import slicer_fields
from napari_medpatch.io.source import AnyArray


def _nifti(part: Part) -> Steps:
    return nifti_steps(_floats(part), part.grid, part.path, note=part.note)


def _nrrd(part: Part) -> Steps:
    yield from _warn_of_shear(part)
    return (yield from write_nrrd(_floats(part), part.grid, part.path, {KEY: part.note.to_json()}))


def _seg_nrrd(part: Part) -> Steps:
    yield from _warn_of_shear(part)
    fields = slicer_fields(part.values, part.grid.shape, part.names, part.colours)
    return (yield from write_nrrd(part.values, part.grid, part.path, fields | {KEY: part.note.to_json()}))


def _metaimage(part: Part) -> Steps:
    yield from _warn_of_shear(part)
    return (yield from write_metaimage(_floats(part), part.grid, part.path, {KEY: part.note.to_json()}))


def _dicom_seg(part: Part) -> Steps:
    def makers(segment: str) -> Maker:
        return Maker.of(part.provenance, part.options.made_by, segment)

    whole = makers("")
    if not whole.told:
        yield Noted(
            f"Nothing says how the mask was made, so the DICOM-SEG calls it {whole.kind}; --made-by says otherwise."
        )
    names, colours = part.classes, part.colours
    writing = write_dicom_seg(part.values, part.source, part.path, class_names=names, colours=colours, makers=makers)
    return (yield from writing)


def _mesh(part: Part) -> Steps:
    """Make the surfaces, which takes most of the time, and write them."""
    present = [value for value in range(1, len(part.classes) + 1) if (part.values == value).any()]
    for value, name in enumerate(part.classes, start=1):
        if value not in present:
            yield Noted(f"Class {name} is empty and has no surface.", "warning")
    if not present:
        raise OutputError(f"{part.path} was not written: the mask is empty, so there is no surface.")
    meshes = []
    for done, value in enumerate(present):
        colour = class_colour(value, part.colours)
        options = part.options
        steps = mesh_steps(
            part.values, value, part.grid, space=options.mesh_space, smooth=options.smooth, colour=colour
        )
        meshes.append((yield from scaled(steps, done / len(present) * 0.8, 0.8 / len(present))))
    is_stl = names.export_format(part.path) == names.STL
    comment = f"napari-medpatch mm SPACE={part.options.mesh_space.upper()}"
    writing = write_stl(meshes[0], part.path, comment) if is_stl else write_ply(meshes, part.path, comment)
    return (yield from scaled(writing, 0.8, 0.2))


def _png_series(part: Part) -> Steps:
    options = part.options
    if part.kind == "mask":
        coding = SliceCoding(options.axis, palette=part.colours, coloured=options.coloured)
    else:
        coding = SliceCoding.of_image(part.values, options.axis, options.window, part.path)
    return write_png_series(part.values, part.grid, part.path, coding=coding, note=part.note)


def _png(part: Part) -> Steps:
    values = one_class(as_bytes(part.values), part.path) if part.kind == "probabilities" else part.values
    yield 0.0
    return write_png(one_slice(values), part.path, note=part.note)


def _geojson(part: Part) -> Steps:
    from napari_medpatch.io.geojson import write_mask_geojson

    if part.kind != "mask":
        raise OutputError(f"{part.path} was not written: GeoJSON holds outlines, not maps; use .ome.tiff or .png.")
    yield 0.0
    plane = one_slice(part.values)
    return write_mask_geojson(plane, part.path, class_names=part.names, scale=part.downsample)


def _ome(part: Part) -> Steps:
    """Write calibrated values; the first pixel's centre is at the source's, moved by half a coarse pixel."""
    size = origin = None
    unit, source, note = "um", part.source, part.note
    if source.spacing is not None:
        steps = (1.0,) * (len(source.spacing.values) - 2) + part.downsample
        placed = derived_grid(steps, source.spacing.values)
        size, origin, unit = placed.scale, placed.translate, source.spacing.unit
    axes = "ZYX" if source.kind == "volume" else "YX"
    if source.kind == "volume":
        affine, known = part.grid.canonical_affine, part.grid.known
        # DICOM's and OME's x and y run to the left and to posterior, NIfTI's to the right and to anterior.
        origin = (float(affine[2, 3]), -float(affine[1, 3]), -float(affine[0, 3])) if known else origin
        note = replace(note, affine=tuple(tuple(row) for row in affine.tolist()) if known else None)
    channels = part.kind == "probabilities"
    return in_thread(
        part.path,
        lambda temporary: write_ome_tiff(
            part.values,
            temporary,
            pixel_size=size,
            unit=unit,
            origin=origin,
            channel_names=note.class_names if channels else (),
            axes=f"C{axes}" if channels else axes,
            note=note,
            atomic=False,
        ),
    )


WRITERS: Mapping[str, Callable[[Part], Steps]] = MappingProxyType(
    {
        names.NIFTI: _nifti,
        names.NRRD: _nrrd,
        names.SEG_NRRD: _seg_nrrd,
        names.METAIMAGE: _metaimage,
        names.DICOM_SEG: _dicom_seg,
        names.STL: _mesh,
        names.PLY: _mesh,
        names.PNG_SERIES: _png_series,
        names.PNG: _png,
        names.GEOJSON: _geojson,
        names.OME_TIFF: _ome,
    }
)


def _floats(part: Part) -> AnyArray:
    """Return the values; probabilities as floats from 0 to 1."""
    return as_unit_floats(part.values) if part.kind == "probabilities" else part.values


def _warn_of_shear(part: Part) -> Iterator[Noted]:
    if part.grid.is_sheared:
        yield Noted(
            f"The axes of {part.source.path.name} do not stand at right angles (a tilted gantry); {part.path.name} "
            "says so, but programs that expect right angles may show it askew.",
            "warning",
        )
